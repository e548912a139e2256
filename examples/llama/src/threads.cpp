#include "threads.hpp"

namespace llama {

Threads::Threads(unsigned count) {
  for (unsigned i = 1; i < count; ++i) workers_.emplace_back([this] { work(); });
}

Threads::~Threads() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Threads::run(std::size_t count, const std::function<void(std::size_t)>& task) {
  if (workers_.empty() || count < 2) {
    for (std::size_t i = 0; i < count; ++i) task(i);
    return;
  }
  std::unique_lock lock(mutex_);
  task_ = &task;
  next_ = 0;
  count_ = unfinished_ = count;
  wake_.notify_all();
  take_tasks(lock);
  done_.wait(lock, [this] { return unfinished_ == 0; });
}

// Tasks are few and coarse, so a lock per task costs nothing that matters.
void Threads::take_tasks(std::unique_lock<std::mutex>& lock) {
  while (next_ < count_) {
    const std::size_t index = next_++;
    const auto* task = task_;
    lock.unlock();
    (*task)(index);
    lock.lock();
    if (--unfinished_ == 0) done_.notify_one();
  }
}

void Threads::work() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    take_tasks(lock);
    wake_.wait(lock, [this] { return stop_ || next_ < count_; });
  }
}

}  // namespace llama
