#include "slabs.hpp"

#include <new>

#include "../kernels/kernel_table.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tq {
namespace {

// Sets slab and slots: as few huge pages as leave at most a hundredth over, or of up to eight those that leave least.
bool choose_slab(Slabs::Size& size) {
  double least = 1;
  for (std::size_t pages = 1; pages <= 8 && least > 0.01; ++pages) {
    const std::size_t bytes = pages * Slabs::kHugePage, slots = (bytes - sizeof(Slabs::Slab)) / size.slot;
    const double over = static_cast<double>(bytes - slots * size.slot) / static_cast<double>(bytes);
    if (slots < Slabs::kLeastSlots || over >= least) continue;
    least = over;
    size.slab = bytes;
    size.slots = slots;
  }
  return size.slots != 0;
}

#ifdef __linux__

// Aligned to huge pages, which the system need not give.
void* map_slab(std::size_t bytes) noexcept {
  constexpr std::size_t unit = Slabs::kHugePage;
  void* mapped = mmap(nullptr, bytes + unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::uint8_t*>(mapped);
  const std::size_t before = (unit - reinterpret_cast<std::uintptr_t>(start) % unit) % unit;
  if (before != 0) munmap(start, before);
  if (before != unit) munmap(start + before + bytes, unit - before);
  return start + before;
}
void unmap_slab(void* slab, std::size_t bytes) noexcept { munmap(slab, bytes); }

void advise_huge_pages(void* slab, std::size_t bytes) noexcept {
  constexpr int collapse = 25;          // MADV_COLLAPSE, which older headers lack and older systems refuse
  madvise(slab, bytes, MADV_HUGEPAGE);  // for what has not been touched yet
  madvise(slab, bytes, collapse);       // for what has
}

// The system pages that lie in a slot; not the first bytes, which hold the link to another free slot.
void return_memory(void* slot, std::size_t bytes) noexcept {
  constexpr std::size_t page = 4096;
  auto* start = static_cast<std::uint8_t*>(slot);
  const std::size_t at = reinterpret_cast<std::uintptr_t>(slot) % page;  // of its system page
  const std::size_t first = round_up(at + sizeof(void*), page) - at, end = (at + bytes) / page * page;
  if (at + first < end) madvise(start + first, end - at - first, MADV_DONTNEED);
}

#else

void* map_slab(std::size_t) noexcept { return nullptr; }
void unmap_slab(void*, std::size_t) noexcept {}
void advise_huge_pages(void*, std::size_t) noexcept {}
void return_memory(void*, std::size_t) noexcept {}

#endif

void link(Slabs::Slab& slab) noexcept {
  slab.previous = nullptr;
  slab.next = slab.size->room;
  if (slab.next != nullptr) slab.next->previous = &slab;
  slab.size->room = &slab;
}

void unlink(Slabs::Slab& slab) noexcept {
  (slab.previous != nullptr ? slab.previous->next : slab.size->room) = slab.next;
  if (slab.next != nullptr) slab.next->previous = slab.previous;
}

}  // namespace

Slabs::Size* Slabs::size_for(std::size_t bytes) noexcept {
  const std::size_t slot = round_up(bytes, alignof(Slab));
  for (Size& size : sizes_) {
    if (size.slot == slot) return &size;
    if (size.slot != 0) continue;
    Size fitting;
    fitting.slot = slot;
    if (!choose_slab(fitting)) return nullptr;
    size = fitting;
    return &size;
  }
  return nullptr;
}

void* Slabs::take(Size& size, Slab*& slab) noexcept {
  slab = size.room;
  if (slab == nullptr) return nullptr;
  void* slot = slab->free;
  if (slot != nullptr) {
    slab->free = *static_cast<void**>(slot);
  } else {
    slot = reinterpret_cast<std::uint8_t*>(slab + 1) + (size.slots - slab->fresh) * size.slot;
    --slab->fresh;
  }
  ++slab->taken;
  if (full(*slab)) unlink(*slab);
  return slot;
}

void Slabs::use_huge_pages(Slab& slab) noexcept { advise_huge_pages(&slab, slab.size->slab); }

bool Slabs::grow(Size& size) noexcept {
  void* memory = map_slab(size.slab);
  if (memory == nullptr) return false;
  auto* slab = new (memory) Slab{};
  slab->size = &size;
  slab->fresh = static_cast<std::uint32_t>(size.slots);
  link(*slab);
  return true;
}

bool Slabs::give_back(Slab& slab, void* slot) noexcept {
  return_memory(slot, slab.size->slot);
  const bool was_full = full(slab);
  *static_cast<void**>(slot) = slab.free;
  slab.free = slot;
  --slab.taken;
  if (was_full) link(slab);
  return slab.taken == 0;
}

void Slabs::free(Slab& slab) noexcept {
  unlink(slab);
  unmap_slab(&slab, slab.size->slab);
}

}  // namespace tq
