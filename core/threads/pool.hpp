// Threads that run the tasks of one call; and the caller's own parallel-for in the same clothes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace tq {

using TaskFunction = void (*)(void* context, std::size_t index);

class Pool {
 public:
  // `threads` counts the caller; 1 starts none.
  explicit Pool(std::uint32_t threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // The caller counts.
  std::size_t threads() const { return threads_.size() + 1; }

  // Calls task(context, i) for each i < count and returns when all are done. If another call has the workers, this one
  // runs on its caller alone.
  void run(std::size_t count, TaskFunction task, void* context);

 private:
  struct Work;

  void serve();
  static void drain(Work& work);

  std::mutex turn_;  // held by the call that has the workers
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Work* work_ = nullptr;
  std::size_t active_ = 0;  // workers that hold a pointer to *work_
  std::uint64_t round_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace tq
