# Installs headers, libraries, the CMake package `turboquant` and libturboquant.pc. All paths in them are relative to
# where the files lie, so an installed tree may be moved.
#
# Components: turboquant_runtime (the shared library), turboquant_development (everything else).
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/turboquant")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/capi/include/turboquant" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT turboquant_development FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT turboquant_development)

# One export set per library, so that a package with only one of them is complete, too.
function(_tq_install_library target kind)
  install(TARGETS ${target} EXPORT turboquant_${kind}
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
      COMPONENT turboquant_runtime NAMELINK_COMPONENT turboquant_development
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT turboquant_development
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT turboquant_runtime)
  install(EXPORT turboquant_${kind} FILE turboquant-${kind}.cmake NAMESPACE turboquant::
    DESTINATION "${package_dir}" COMPONENT turboquant_development)
endfunction()

# What a C linker must add to the static library: the C++ runtime and what it stands on, as this compiler names them.
set(TQ_CXX_RUNTIME ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
list(FILTER TQ_CXX_RUNTIME INCLUDE REGEX "^(stdc\\+\\+|c\\+\\+|c\\+\\+abi|m)$")
list(REMOVE_DUPLICATES TQ_CXX_RUNTIME)

set(TQ_PC_LIBS_PRIVATE)
foreach(library IN LISTS TQ_CXX_RUNTIME)
  string(APPEND TQ_PC_LIBS_PRIVATE " -l${library}")
endforeach()
string(APPEND TQ_PC_LIBS_PRIVATE " -lpthread")
string(STRIP "${TQ_PC_LIBS_PRIVATE}" TQ_PC_LIBS_PRIVATE)

if(TQ_BUILD_SHARED)
  _tq_install_library(turboquant shared)
endif()
if(TQ_BUILD_STATIC)
  _tq_install_library(turboquant_static static)
endif()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/turboquantConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/package/turboquantConfig.cmake" INSTALL_DESTINATION "${package_dir}"
  NO_SET_AND_CHECK_MACRO)
# While the major version is 0 a minor version may break source code: 0.2 does not satisfy a request for 0.1.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/package/turboquantConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)

# The .pc file finds its prefix from its own place; how deep that is depends on the library folder ("lib/x86_64-..").
# Absolute folders, as some distributions set them, stay absolute.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(TQ_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  string(REGEX REPLACE "/$" "" to_prefix "${to_prefix}")
  set(TQ_PC_PREFIX "\${pcfiledir}/${to_prefix}")
endif()
foreach(kind IN ITEMS LIB INCLUDE)
  cmake_path(IS_ABSOLUTE CMAKE_INSTALL_${kind}DIR absolute)
  if(absolute)
    set(TQ_PC_${kind}DIR "${CMAKE_INSTALL_${kind}DIR}")
  else()
    set(TQ_PC_${kind}DIR "\${prefix}/${CMAKE_INSTALL_${kind}DIR}")
  endif()
endforeach()
if(TQ_BUILD_SHARED)
  set(TQ_PC_CFLAGS "")
else()
  set(TQ_PC_CFLAGS " -DTQ_STATIC")
  set(TQ_PC_LIBS_PUBLIC " ${TQ_PC_LIBS_PRIVATE}") # no shared library: every user links statically
  set(TQ_PC_LIBS_PRIVATE "")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/turboquant.pc.in" "${PROJECT_BINARY_DIR}/package/libturboquant.pc" @ONLY)

install(FILES "${PROJECT_BINARY_DIR}/package/turboquantConfig.cmake"
  "${PROJECT_BINARY_DIR}/package/turboquantConfigVersion.cmake"
  DESTINATION "${package_dir}" COMPONENT turboquant_development)
install(FILES "${PROJECT_BINARY_DIR}/package/libturboquant.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
  COMPONENT turboquant_development)
