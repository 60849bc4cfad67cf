# heed_folder(NAME [DEPENDS target ...] [PRIVATE target ...]): the library of one folder, from every .cpp below it.
# heed_settings(TARGET): the compiler settings that every target of the project shares.

add_library(heed_settings INTERFACE)
target_compile_features(heed_settings INTERFACE cxx_std_20)
target_include_directories(heed_settings INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/heed>)
if(HEED_DOUBLE)
  target_compile_definitions(heed_settings INTERFACE HEED_DOUBLE)
endif()

function(heed_settings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror
                         -fno-math-errno -fno-trapping-math
                         -Wno-stringop-overflow)  # g++ 12 mistakes fmt's buffers
  if(HEED_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  endif()
  if(HEED_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${HEED_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${HEED_SANITIZE})
  endif()
endfunction()

function(heed_folder name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(heed_${name} STATIC ${sources})
  set_target_properties(heed_${name} PROPERTIES EXPORT_NAME ${name})
  heed_settings(heed_${name})
  target_link_libraries(heed_${name} PUBLIC heed_settings ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE})
endfunction()
