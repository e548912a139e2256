# cmake -DHEADER=turboquant.h -DPROGRAM=c_program.c -P check_c_program.cmake
#
# Fails unless the program calls every function that the header declares with TQ_API.
file(READ "${HEADER}" header)
file(READ "${PROGRAM}" program)
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" " " header "${header}")
string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" " " program "${program}")
string(REGEX MATCHALL "TQ_API[^;{}()#]*[ *]tq_[a-z0-9_]+\\(" declarations "${header}")

list(LENGTH declarations count)
if(count LESS 30)
  message(FATAL_ERROR "found only ${count} functions in ${HEADER}: is the pattern of this script still right?")
endif()

set(missing "")
foreach(declaration IN LISTS declarations)
  string(REGEX MATCH "tq_[a-z0-9_]+\\($" call "${declaration}")
  string(FIND "${program}" "${call}" position)
  if(position EQUAL -1)
    string(REPLACE "(" "" name "${call}")
    list(APPEND missing ${name})
  endif()
endforeach()
if(missing)
  message(FATAL_ERROR "${PROGRAM} does not use: ${missing}")
endif()
message(STATUS "all ${count} functions of the header are used")
