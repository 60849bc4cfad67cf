# cmake -DBUILD=<a finished build of Heed> -DWORK=<a folder to work in> -P run.cmake
# Installs Heed into a prefix of its own, checks what was installed, builds the project in this
# folder against it, and runs the programs of both.
cmake_minimum_required(VERSION 3.25)
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)  # a second time over the first

# Headers stand under heed/ alone, and none of them is internal.
file(GLOB tops RELATIVE ${WORK}/prefix/include ${WORK}/prefix/include/*)
if(NOT tops STREQUAL heed)
  message(FATAL_ERROR "expected include/ to hold heed/ alone; got ${tops}")
endif()
file(GLOB_RECURSE headers RELATIVE ${WORK}/prefix/include/heed ${WORK}/prefix/include/heed/*)
set(internal ${headers})
list(FILTER internal INCLUDE REGEX "(^|/)(internal|kernels|ops)/|[^h]$")
if(internal)
  message(FATAL_ERROR "installed, but internal or no header: ${internal}")
endif()

# heed.h includes every other header.
file(STRINGS ${WORK}/prefix/include/heed/heed.h lines REGEX "^#include \"")
list(TRANSFORM lines REPLACE "^#include \"(.*)\"" "\\1" OUTPUT_VARIABLE included)
list(REMOVE_ITEM headers heed.h)
foreach(header ${headers})
  if(NOT header IN_LIST included)
    message(SEND_ERROR "heed.h does not include ${header}; add it")
  endif()
endforeach()

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/app -G Ninja
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0)
run(${CMAKE_COMMAND} --build ${WORK}/app)
run(${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/app --output-on-failure --no-tests=error)

# symbols(PROGRAM RESULT): the symbols of a program that belong to training, optimizers or reports
file(STRINGS ${WORK}/app/CMakeCache.txt nm REGEX "^CMAKE_NM:")
string(REGEX REPLACE "^[^=]*=" "" nm "${nm}")
function(symbols program result)
  execute_process(COMMAND ${nm} -C --defined-only ${WORK}/app/${program} OUTPUT_VARIABLE found
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "heed::(Trainer|Training|Optimizer|Adam|compare|report)(::|\\()[^\n]*"
         found "${found}")
  set(${result} "${found}" PARENT_SCOPE)
endfunction()
symbols(train found)
if(NOT found)
  message(FATAL_ERROR "nm finds no symbol of heed::Trainer even in a program that trains")
endif()
symbols(inference found)
if(found)
  message(FATAL_ERROR "a program linked to Heed::inference holds ${found}")
endif()

# Every header compiles alone; one that includes an internal header does not.
run(${CMAKE_COMMAND} --build ${WORK}/app --target heed_headers)
list(LENGTH headers count)
math(EXPR count "${count} + 1")
message(STATUS "${count} headers compile alone")
file(WRITE ${WORK}/prefix/include/heed/layers/zz_bad.h
     "#include \"../framework/kernels/matrix.h\"\n")
run(${CMAKE_COMMAND} ${WORK}/app)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/app --target heed_headers
                RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
file(REMOVE ${WORK}/prefix/include/heed/layers/zz_bad.h)
if(NOT failed OR NOT output MATCHES "kernels/matrix.h: No such file")
  message(FATAL_ERROR "a header that includes an internal one was not refused")
endif()

# Heed as a part of another project: its headers are found in the same way.
get_filename_component(heed ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/subproject -B ${WORK}/inside -G Ninja
    -DHEED=${heed})
run(${CMAKE_COMMAND} --build ${WORK}/inside --target user)

if(EXISTS ${WORK}/prefix/bin/heed)
  run(${WORK}/prefix/bin/heed --help)
endif()
