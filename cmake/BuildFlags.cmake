# tq_build_flags: warnings for our own code. Linked PRIVATE, so no consumer ever inherits it.
add_library(tq_build_flags INTERFACE)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(tq_build_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
  if(TQ_WERROR)
    target_compile_options(tq_build_flags INTERFACE -Werror)
  endif()
endif()
