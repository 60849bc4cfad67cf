# cmake -DPROGRAM=<an example> -DWORK=<a folder> -P resume.cmake
# Resumes a run that was stopped and one that was killed. Their checkpoints must have the same bytes
# as those of a run that was never interrupted.
cmake_minimum_required(VERSION 3.25)
function(example folder)
  execute_process(COMMAND ${PROGRAM} --out ${WORK}/${folder} ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
example(whole)
example(stopped --stop-at 237)
file(COPY ${WORK}/stopped/ DESTINATION ${WORK}/killed)
# Without a last save, a kill leaves the checkpoint of step 200, and rows of metrics after it.
file(REMOVE ${WORK}/killed/checkpoints/last.heed)
foreach(folder stopped killed)
  example(${folder})
  file(GLOB files RELATIVE ${WORK}/whole/checkpoints ${WORK}/whole/checkpoints/*.heed)
  if(NOT best.heed IN_LIST files OR NOT last.heed IN_LIST files)
    message(FATAL_ERROR "expected best.heed and last.heed; got ${files}")
  endif()
  foreach(file ${files})
    execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${WORK}/whole/checkpoints/${file}
                            ${WORK}/${folder}/checkpoints/${file} COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endforeach()
