// Pages of all but the shortest caches, many to a slab that becomes huge pages once it is full. Attention jumps from
// page to page, and with system pages of 4 KiB nearly every jump waits for an entry of the page table, too. Until a slab
// is full, and where a slot was given back, the system holds no more memory than the pages taken.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tq {

class Slabs {
 public:
  struct Size;

  // The header of a slab, at its start; slots follow.
  struct alignas(64) Slab {
    Size* size;
    Slab *previous, *next;  // in the list of slabs with room
    void* free;             // first of the slots that were given back, each of which points to the next one
    std::uint32_t fresh;    // slots that were never taken; they are the last ones
    std::uint32_t taken;
  };

  // One size of slots.
  struct Size {
    std::size_t slot = 0;  // bytes, a multiple of 64
    std::size_t slots = 0;
    std::size_t slab = 0;  // bytes, a multiple of kHugePage
    std::size_t live = 0;  // bytes of this size that are in use, in slabs and elsewhere
    Slab* room = nullptr;

    std::size_t left_over() const { return slab - slots * slot; }  // with the header
  };

  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  static constexpr std::size_t kSizes = 16;                     // those that come later get no slabs
  static constexpr std::size_t kLeastSlots = 8;                 // in a slab
  static constexpr std::size_t kShort = std::size_t{64} << 10;  // with less in use, slabs are not worth it

  // The size for `bytes`, or NULL: too large for slabs, or one size too many.
  Size* size_for(std::size_t bytes) noexcept;
  // Not for the first few pages, nor where what a slab leaves over is much beside them.
  static bool worth_a_slab(const Size& size) { return size.live >= kShort && size.live >= 32 * size.left_over(); }

  // A slot of a slab with room; NULL if there is none.
  static void* take(Size& size, Slab*& slab) noexcept;
  static bool full(const Slab& slab) noexcept { return slab.free == nullptr && slab.fresh == 0; }
  // Asks the system for huge pages, also in place of what is in use; any thread may use the slots meanwhile.
  static void use_huge_pages(Slab& slab) noexcept;
  // A slab more; false if the system has no memory.
  static bool grow(Size& size) noexcept;
  // True if the slab is empty now: to be freed.
  static bool give_back(Slab& slab, void* slot) noexcept;
  static void free(Slab& slab) noexcept;

 private:
  Size sizes_[kSizes];
};

}  // namespace tq
