# What the project's own build would have defined: tq_json, tq_gtest and tq_build_flags.
include(FetchContent)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

add_library(tq_build_flags INTERFACE)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(tq_build_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
endif()

# The system's package first (Debian: nlohmann-json3-dev), else a pinned download.
find_package(nlohmann_json 3.9 QUIET)
if(NOT nlohmann_json_FOUND)
  FetchContent_Declare(nlohmann_json
    URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
    URL_HASH SHA256=d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d
    DOWNLOAD_EXTRACT_TIMESTAMP ON)
  FetchContent_MakeAvailable(nlohmann_json)
endif()
add_library(tq_json INTERFACE)
target_link_libraries(tq_json INTERFACE nlohmann_json::nlohmann_json)

# The tests need GoogleTest; without it there are none.
find_package(GTest QUIET)
if(GTest_FOUND)
  add_library(tq_gtest INTERFACE)
  target_link_libraries(tq_gtest INTERFACE GTest::gtest)
endif()

function(tq_require_gtest)
  if(NOT TARGET tq_gtest)
    message(FATAL_ERROR "TQ_LLAMA_TESTS=ON needs GoogleTest (Debian: libgtest-dev)")
  endif()
endfunction()
