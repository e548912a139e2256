#include "report.hpp"

#include <turboquant/turboquant.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "error.hpp"
#include "matmul.hpp"

namespace llama {
namespace {

const char* format_name(tq_format format) {
  return format == TQ_FORMAT_TQ4 ? "tq4" : format == TQ_FORMAT_TQ8 ? "tq8" : "f16";
}

template <class... Values>
std::string printed(const char* format, Values... values) {
  char buffer[256];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

std::string line(const std::string& what, const std::string& exact, const std::string& coded) {
  return printed("  %-46s %16s %16s\n", what.c_str(), exact.c_str(), coded.c_str());
}

double bytes_per_token(const CacheResult& result, const Windows& windows) {
  return static_cast<double>(result.statistics.bytes) / static_cast<double>(windows.context);
}

}  // namespace

std::string cache_name(const CacheChoice& choice) {
  if (!choice.profile.empty()) return "profile cache";
  const std::string key = format_name(choice.key_format), value = format_name(choice.value_format);
  return (key == value ? key : key + "/" + value) + " cache";
}

std::string milliseconds(double seconds) { return printed("%.3f ms", seconds * 1e3); }

std::string heading(const Report& report) {
  const Config& c = report.config;
  std::string lines = sentence("model    ", report.model, " (", c.architecture, "): ", c.layers, " layers, ", c.q_heads,
                               " query and ", c.kv_heads, " key-value heads of ", c.head_dim, "\n");
  if (!report.text.empty())
    lines += sentence("text     ", report.text, ": ", report.windows.count, " windows of ", report.windows.context,
                      " tokens, each begins with BOS\n");
  if (!report.choice.profile.empty()) lines += sentence("profile  ", report.choice.profile, "\n");
  return lines + sentence("library  libturboquant ", tq_version_string(), ", CPU target ", tq_cpu_target(),
                          "; matrix products ", matmul_target(), ", ", report.threads, " threads\n");
}

std::string table(const Report& report) {
  const CacheResult &exact = report.evaluation->exact, &coded = report.evaluation->coded;
  const tq_cache_statistics &e = exact.statistics, &s = coded.statistics;
  std::string text = line("", "16-bit cache", cache_name(report.choice));
  text += line("bytes per token", printed("%.1f", bytes_per_token(exact, report.windows)),
               printed("%.1f", bytes_per_token(coded, report.windows)));
  text += line("smaller than plain 16 bit: the whole cache", printed("%.2fx", e.ratio), printed("%.2fx", s.ratio));
  text += line("smaller than plain 16 bit: complete blocks", printed("%.2fx", e.ratio_coded),
               printed("%.2fx", s.ratio_coded));
  text += line("perplexity", printed("%.4f", std::exp(exact.loss)), printed("%.4f", std::exp(coded.loss)));
  text += line("mean KL divergence from the 16-bit cache, nats", "-", printed("%.6f", report.evaluation->kl_mean));
  text += line("top-1 agreement with the 16-bit cache", "-", printed("%.2f %%", 100 * report.evaluation->top1));
  text += line("time per token, whole model", milliseconds(exact.time.total), milliseconds(coded.time.total));
  text += line("  of it attention and append", milliseconds(exact.time.cache), milliseconds(coded.time.cache));
  return text;
}

std::string check_lines(const CheckValues& check) {
  return printed("check values, 16-bit cache, nats per token: first 512 tokens %.5f, first 4 x 1024 tokens %.5f\n",
                 check.first_512, check.four_times_1024);
}

void write_json(const Report& report, const std::filesystem::path& path) {
  const CacheResult &exact = report.evaluation->exact, &coded = report.evaluation->coded;
  nlohmann::ordered_json json = {
      {"bytes_per_token_16bit", bytes_per_token(exact, report.windows)},
      {"bytes_per_token", bytes_per_token(coded, report.windows)},
      {"ratio", coded.statistics.ratio},
      {"ratio_coded", coded.statistics.ratio_coded},
      {"ppl_16bit", std::exp(exact.loss)},
      {"ppl", std::exp(coded.loss)},
      {"kl_mean", report.evaluation->kl_mean},
      {"top1", report.evaluation->top1},
      {"ns_per_token_16bit", exact.time.total * 1e9},
      {"ns_per_token", coded.time.total * 1e9},
      {"cache_ns_per_token_16bit", exact.time.cache * 1e9},
      {"cache_ns_per_token", coded.time.cache * 1e9},
      {"cpu_target", tq_cpu_target()},
      {"matmul_target", matmul_target()},
      {"library_version", tq_version_string()},
      {"model", report.model},
      {"text", report.text},
      {"windows", report.windows.count},
      {"context", report.windows.context},
      {"threads", report.threads},
  };
  if (report.choice.profile.empty()) {
    json["key_format"] = format_name(report.choice.key_format);
    json["value_format"] = format_name(report.choice.value_format);
  } else {
    json["profile"] = report.choice.profile;
  }
  if (report.check) {
    json["check_first_512"] = report.check->first_512;
    json["check_four_times_1024"] = report.check->four_times_1024;
  }
  std::ofstream out(path);
  out << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  if (!out.flush()) refuse("--json is ", path.string(), ", which cannot be written: give a path in a folder of yours");
}

}  // namespace llama
