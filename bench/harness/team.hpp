// A few threads for baselines and limits of the cases with more than one thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bench {

class Team {
 public:
  explicit Team(unsigned threads);  // counts the caller
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  // Calls task(i) for i < threads, i = 0 on the caller, and waits for all.
  void run(const std::function<void(unsigned)>& task);
  unsigned size() const { return static_cast<unsigned>(workers_.size()) + 1; }

 private:
  void work(unsigned index);

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(unsigned)>* task_ = nullptr;
  std::size_t round_ = 0;
  unsigned left_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace bench
