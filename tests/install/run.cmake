# cmake -DBUILD=<a finished build of Heed> -DWORK=<a folder to work in> -P run.cmake
# Installs Heed into a prefix of its own, builds the project in this folder against it, and runs the
# programs of both.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)  # a second time over the first
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/app -G Ninja
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_BUILD_TYPE=Release)
run(${CMAKE_COMMAND} --build ${WORK}/app)
run(${WORK}/app/app)
run(${WORK}/app/short)
if(EXISTS ${WORK}/prefix/bin/heed)
  run(${WORK}/prefix/bin/heed --help)
endif()
