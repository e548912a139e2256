// Clocks and cores.
#pragma once

namespace bench {

double wall_ns();
double thread_cpu_ns();  // of the calling thread: does not count while somebody else has the core

// Binds the calling thread to the last core it may use (interrupts prefer the first), or lets it go again. False where
// the system does not allow it.
bool pin_thread();
void unpin_thread();

}  // namespace bench
