# TQ_SANITIZE=address,undefined or thread. Applied to everything from here on, GoogleTest included: an uninstrumented
# half would hide races and container overflows.
if(TQ_SANITIZE)
  if(NOT TQ_SANITIZE MATCHES "^(address|undefined|thread)(,(address|undefined))?$")
    message(FATAL_ERROR "TQ_SANITIZE=${TQ_SANITIZE}: expected 'address,undefined', 'address', 'undefined' or 'thread'")
  endif()
  add_compile_options(-fsanitize=${TQ_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${TQ_SANITIZE})
endif()
