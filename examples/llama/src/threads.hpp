// A small set of worker threads, shared by the matrix products and, through tq_parallel_for, by the attention of
// libturboquant: a runtime that already owns threads needs no second set.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace llama {

class Threads {
 public:
  explicit Threads(unsigned count);  // counts the caller: 1 starts none
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  unsigned count() const { return static_cast<unsigned>(workers_.size()) + 1; }

  // Calls task(i) once for each i < count and returns when all are done. Not reentrant; task must not throw.
  void run(std::size_t count, const std::function<void(std::size_t)>& task);

 private:
  void work();
  void take_tasks(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t next_ = 0, count_ = 0, unfinished_ = 0;
  bool stop_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace llama
