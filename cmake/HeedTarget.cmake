# heed_folder(NAME [DEPENDS target ...] [PRIVATE target ...]): the library of one folder, from every .cpp below it.
# heed_settings(TARGET): the compiler settings that every target of the project shares.
# heed_unoptimised(TARGET): for tests and the command, which compute little themselves.

add_library(heed_settings INTERFACE)
target_compile_features(heed_settings INTERFACE cxx_std_20)
# Installed, <heed/heed.h>, <heed.h> and "framework/ops.h" are all found.
target_include_directories(heed_settings INTERFACE
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/heed>)
if(HEED_DOUBLE)
  target_compile_definitions(heed_settings INTERFACE HEED_DOUBLE)
endif()

function(heed_settings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                         -fno-math-errno -fno-trapping-math)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ 12 mistakes fmt's buffers, and "text" + std::string (GCC bug 105651).
    target_compile_options(${target} PRIVATE -Wno-stringop-overflow -Wno-restrict)
    if(CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
      target_compile_options(${target} PRIVATE -Werror)  # with the compiler the project is checked with, and no other
    endif()
  endif()
  if(HEED_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Vectors wider than the registers: g++ tells how it would pass them, and takes parts of one for more than it holds.
    target_compile_options(${target} PRIVATE -Wno-psabi -Wno-array-bounds -Wno-stringop-overread)
  endif()
  if(HEED_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${HEED_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                           -Wno-maybe-uninitialized)  # g++ gives false ones under sanitizers
    target_link_options(${target} PUBLIC -fsanitize=${HEED_SANITIZE})
  endif()
endfunction()

# Under sanitizers, what does not compute need not be optimised: it is half of the time that they take to build.
function(heed_unoptimised target)
  if(HEED_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

function(heed_folder name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(heed_${name} STATIC ${sources})
  set_target_properties(heed_${name} PROPERTIES EXPORT_NAME ${name})
  heed_settings(heed_${name})
  target_link_libraries(heed_${name} PUBLIC heed_settings ${ARG_DEPENDS})
  foreach(library ${ARG_PRIVATE})
    # What holds headers alone is needed to build Heed, not to link to an installed one.
    set(headers_only OFF)
    if(TARGET ${library})
      get_target_property(type ${library} TYPE)
      get_target_property(linked ${library} INTERFACE_LINK_LIBRARIES)
      if(type STREQUAL INTERFACE_LIBRARY AND NOT linked)
        set(headers_only ON)
      endif()
    endif()
    if(headers_only)
      target_link_libraries(heed_${name} PRIVATE $<BUILD_INTERFACE:${library}>)
    else()
      target_link_libraries(heed_${name} PRIVATE ${library})
    endif()
  endforeach()
endfunction()
