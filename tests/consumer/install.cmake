# cmake -D BUILD=.. -D ROOT=.. -P install.cmake: what the consumer tests link against.
#   ROOT/moved         everything, moved after installation: any absolute path left in it would be dead
#   ROOT/static_only   the same without the shared library
file(REMOVE_RECURSE "${ROOT}")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${ROOT}/prefix" COMMAND_ERROR_IS_FATAL ANY
  OUTPUT_QUIET)
file(RENAME "${ROOT}/prefix" "${ROOT}/moved")
file(COPY "${ROOT}/moved/" DESTINATION "${ROOT}/static_only")
file(GLOB shared "${ROOT}/static_only/lib*/libturboquant.so*" "${ROOT}/static_only/lib*/*/libturboquant.so*")
if(NOT shared)
  message(FATAL_ERROR "no shared library was installed")
endif()
file(REMOVE ${shared})

file(GLOB_RECURSE described "${ROOT}/moved/*.cmake" "${ROOT}/moved/*.pc")
foreach(file IN LISTS described)
  file(READ "${file}" text)
  string(FIND "${text}" "${ROOT}" place)
  if(NOT place EQUAL -1)
    message(FATAL_ERROR "${file} names the folder it was installed to")
  endif()
endforeach()
