# Cross compilation for 64-bit Arm with Debian's g++-aarch64-linux-gnu; tests run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(TQ_SYSROOT_LIBRARIES /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH ${TQ_SYSROOT_LIBRARIES})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

find_program(TQ_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(TQ_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${TQ_QEMU_AARCH64};-L;${TQ_SYSROOT_LIBRARIES}")
endif()
