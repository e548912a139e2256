# One translation unit per instruction set.
#
#   tq_add_arch(avx2 SOURCE kernels/arch/avx2.cpp FLAGS -mavx2 -mfma -mf16c)
#
# compiles the file as an OBJECT library tq_arch_avx2 with its own flags and
#   - defines TQ_ARCH_AVX2=1 in that file,
#   - defines TQ_HAVE_AVX2=1 in tq_core, so that the dispatcher knows that the table tq_kernels_avx2 exists,
#   - adds the object to the library (tq_object_files) and the name to the list of targets that tests run on.
#
# Kernel files are optimised even in Debug builds: without inlining they would emit weak symbols compiled for a newer
# CPU, which the linker may pick for everybody, and they would be too slow to test. They never take part in LTO for the
# same reason, and never contract a * b + c: encoding gives the same bits on every CPU.

include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)

set(TQ_KERNEL_FLAGS -fno-exceptions -fno-rtti -fno-lto -ffp-contract=off -fno-math-errno -fno-trapping-math)
if(TQ_SANITIZE)
  list(APPEND TQ_KERNEL_FLAGS -O1 -g1) # instrumented kernels take minutes to compile with more
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Registers that live on the stack without optimisation take GCC a quarter of an hour to guard. The checks of memory
    # that kernels are given, of bounds, shifts and overflow stay.
    list(APPEND TQ_KERNEL_FLAGS --param=asan-stack=0 --param=asan-instrumentation-with-call-threshold=0
      -fno-sanitize=null,alignment,object-size,pointer-overflow)
  endif()
else()
  list(APPEND TQ_KERNEL_FLAGS -O3)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC's own AVX-512 headers start from undefined registers on purpose, and GCC warns about it (GCC bug 105593).
  list(APPEND TQ_KERNEL_FLAGS -Wno-uninitialized -Wno-maybe-uninitialized)
  if(NOT TQ_SANITIZE)
    # Without these GCC 12 copies every accumulator of a loop to another register and back, and spills some. Instrumented
    # code it would compile for a quarter of an hour.
    list(APPEND TQ_KERNEL_FLAGS -fno-tree-coalesce-vars -fno-tree-pre)
  endif()
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(TQ_ARCHITECTURE x86_64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(TQ_ARCHITECTURE aarch64)
else()
  set(TQ_ARCHITECTURE generic)
endif()

# With XSIMD_DEFAULT_ARCH = unsupported, a batch<float> that forgets its architecture does not compile. Versions before
# 11 ignore the macro; a version whose own headers stumble over it goes without.
function(_tq_check_default_arch)
  get_target_property(CMAKE_REQUIRED_INCLUDES tq_xsimd INTERFACE_INCLUDE_DIRECTORIES)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  set(CMAKE_REQUIRED_DEFINITIONS -DXSIMD_DEFAULT_ARCH=xsimd::unsupported)
  check_cxx_source_compiles("#include <xsimd/xsimd.hpp>\nint main() { return 0; }" TQ_XSIMD_TAKES_DEFAULT_ARCH)
endfunction()

function(tq_add_arch NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "SOURCE" "FLAGS")
  if(NOT ARG_SOURCE OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "usage: tq_add_arch(NAME SOURCE file FLAGS flags..), got '${ARGN}'")
  endif()
  if(TQ_BASELINE_ONLY AND NOT NAME MATCHES "^(baseline|neon)$")
    return()
  endif()
  string(TOUPPER "${NAME}" upper)

  foreach(flag IN LISTS ARG_FLAGS)
    string(MAKE_C_IDENTIFIER "TQ_COMPILER_KNOWS${flag}" known)
    check_cxx_compiler_flag("${flag}" ${known})
    if(NOT ${known})
      message(WARNING "The compiler does not know ${flag}: this build has no ${NAME} kernels")
      return()
    endif()
  endforeach()
  _tq_check_default_arch()

  cmake_path(ABSOLUTE_PATH ARG_SOURCE BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" OUTPUT_VARIABLE source)
  if(NOT EXISTS "${source}")
    cmake_path(ABSOLUTE_PATH ARG_SOURCE BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE source)
  endif()

  set(library tq_arch_${NAME})
  add_library(${library} OBJECT "${source}")
  target_include_directories(${library} PRIVATE "${PROJECT_SOURCE_DIR}/core" $<TARGET_PROPERTY:tq_core,INCLUDE_DIRECTORIES>)
  target_compile_options(${library} PRIVATE ${TQ_KERNEL_FLAGS} ${ARG_FLAGS})
  target_compile_definitions(${library} PRIVATE TQ_ARCH_${upper}=1
    $<$<BOOL:${TQ_XSIMD_TAKES_DEFAULT_ARCH}>:XSIMD_DEFAULT_ARCH=xsimd::unsupported>)
  target_link_libraries(${library} PRIVATE tq_xsimd tq_build_flags)
  set_target_properties(${library} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)

  target_compile_definitions(tq_core PUBLIC TQ_HAVE_${upper}=1)
  set_property(GLOBAL APPEND PROPERTY TQ_ARCHS ${NAME})
endfunction()

# Every object file of the library, as generator expressions: core, kernels and, once it exists, the C API.
function(tq_object_files out)
  get_property(archs GLOBAL PROPERTY TQ_ARCHS)
  set(objects $<TARGET_OBJECTS:tq_core>)
  foreach(arch IN LISTS archs)
    list(APPEND objects $<TARGET_OBJECTS:tq_arch_${arch}>)
  endforeach()
  if(TARGET tq_capi)
    list(APPEND objects $<TARGET_OBJECTS:tq_capi>)
  endif()
  set(${out} ${objects} PARENT_SCOPE)
endfunction()
