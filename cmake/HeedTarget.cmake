# heed_folder(NAME [DEPENDS target ...] [PRIVATE target ...])
#   the library of one folder, from every .cpp below it
# heed_settings(TARGET)
#   the compiler settings that every target of the project shares
# heed_compiles_fast(TARGET)
#   for what computes little itself: compile time matters more than speed
# heed_compiles_unoptimised(TARGET)
#   with -O0, for the test programs: compiling them takes longer than running them
# heed_precompile(TARGET [ALSO header ...] | [SHARED_WITH target])
#   compiles the headers of the standard library and of fmt once a target, not once a file

add_library(heed_settings INTERFACE)
target_compile_features(heed_settings INTERFACE cxx_std_20)
# <heed/heed.h> and <heed/framework/ops.h> are found in the build tree as they are when installed.
set(HEED_BUILD_INCLUDES ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${HEED_BUILD_INCLUDES}/heed)
foreach(name heed.h ${HEED_FOLDERS})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/${name} ${HEED_BUILD_INCLUDES}/heed/${name} SYMBOLIC)
endforeach()
target_include_directories(heed_settings INTERFACE
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                           $<BUILD_INTERFACE:${HEED_BUILD_INCLUDES}>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
if(HEED_DOUBLE)
  target_compile_definitions(heed_settings INTERFACE HEED_DOUBLE)
endif()

function(heed_settings target)
  target_compile_options(${target} PRIVATE
                         -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                         -fno-math-errno -fno-trapping-math)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ 12 mistakes fmt's buffers, and "text" + std::string (GCC bugs 105329 and 105651).
    target_compile_options(${target} PRIVATE -Wno-stringop-overflow -Wno-restrict -Wno-array-bounds)
    if(CMAKE_CXX_COMPILER_VERSION MATCHES "^12\\.")
      # With the compiler that the project is checked with, and no other.
      target_compile_options(${target} PRIVATE -Werror)
    endif()
  endif()
  if(HEED_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Vectors are wider than the registers: g++ warns of how it would pass them, and takes parts of
    # one for more than it holds.
    target_compile_options(${target} PRIVATE -Wno-psabi -Wno-array-bounds -Wno-stringop-overread)
  endif()
  if(HEED_SANITIZE)
    # The three checks that are left out take a tenth of the time to compile. Where they would find
    # a mistake, the address sanitizer mostly does too.
    target_compile_options(${target} PRIVATE
                           -fsanitize=${HEED_SANITIZE} -fno-sanitize-recover=all
                           -fno-sanitize=null,object-size,vptr -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${HEED_SANITIZE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      # g++ gives false ones under sanitizers.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    elseif(HEED_SANITIZE MATCHES address)
      # As g++ does by itself: free blocks of the pool are poisoned, and some tests do less.
      target_compile_definitions(${target} PRIVATE __SANITIZE_ADDRESS__)
    endif()
  endif()
endfunction()

function(heed_compiles_fast target)
  if(HEED_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  elseif(CMAKE_BUILD_TYPE STREQUAL Release)
    target_compile_options(${target} PRIVATE -O1)
  endif()
endfunction()

function(heed_compiles_unoptimised target)
  target_compile_options(${target} PRIVATE -O0)
endfunction()

# Reading these headers takes 0.7 s a file; reading them precompiled takes 0.1 s. scripts/lint
# compiles all but tests without, so that a file that lacks what they bring is found. Headers whose
# functions are templates that every file would compile again (CLI11, nlohmann/json) cost more
# precompiled than read.
set(HEED_PRECOMPILED
    <algorithm> <array> <charconv> <chrono> <cmath> <cstdint> <cstring> <filesystem> <fstream>
    <functional> <iostream> <limits> <map> <memory> <mutex> <numeric> <optional> <set> <span>
    <sstream> <string> <string_view> <tuple> <type_traits> <unordered_map> <utility> <variant>
    <vector> <fmt/format.h> <fmt/ranges.h>)
function(heed_precompile target)
  cmake_parse_arguments(ARG "" "SHARED_WITH" "ALSO" ${ARGN})
  if(ARG_SHARED_WITH)
    target_precompile_headers(${target} REUSE_FROM ${ARG_SHARED_WITH})
  else()
    target_precompile_headers(${target} PRIVATE ${HEED_PRECOMPILED} ${ARG_ALSO})
  endif()
endfunction()

# heed_library(NAME [SOURCES folder] [WITHOUT folder] ...): every .cpp below the folder
function(heed_library name)
  cmake_parse_arguments(ARG "" "SOURCES;WITHOUT" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SOURCES}/*.cpp)
  if(ARG_WITHOUT)
    list(FILTER sources EXCLUDE REGEX "/${ARG_WITHOUT}/")
  endif()
  add_library(heed_${name} STATIC ${sources})
  set_target_properties(heed_${name} PROPERTIES EXPORT_NAME ${name})
  heed_settings(heed_${name})
  # What computes much: ops, and the corpora that tests draw.
  if(HEED_SANITIZE AND NOT name MATCHES "^(framework|datasets)$")
    heed_compiles_fast(heed_${name})
  endif()
  if(HEED_FUZZ)
    target_compile_options(heed_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  # framework alone has TBB's definitions, which its precompiled headers then ask of every user.
  # Under sanitizers datasets alone is optimised besides.
  if(name MATCHES "^(framework|layers)$" OR (HEED_SANITIZE AND name STREQUAL datasets))
    heed_precompile(heed_${name})
  else()
    heed_precompile(heed_${name} SHARED_WITH heed_layers)
  endif()
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

function(heed_folder name)
  heed_library(${name} SOURCES . ${ARGN})
endfunction()
