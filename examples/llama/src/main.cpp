// tq_llama: reads a text and writes on from a prompt, with a 16-bit KV cache and with a compressed one.
//
// Exit codes: 0, 1 for a failure that is not the user's (out of memory), 2 for an argument that was refused.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "error.hpp"
#include "options.hpp"
#include "run.hpp"

int main(int count, char** arguments) {
  try {
    const llama::Options options = llama::parse_options(std::vector<std::string>(arguments + 1, arguments + count));
    if (options.help) {
      std::fputs(llama::help_text().c_str(), stdout);
      return 0;
    }
    llama::Run(options).execute();
    return 0;
  } catch (const llama::BadInput& error) {
    std::fprintf(stderr, "tq_llama: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tq_llama: %s\n", error.what());
    return 1;
  }
}
