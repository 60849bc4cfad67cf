# cmake -DPROGRAM=<a program> -DDATA=<what data.cmake made> -DWITH="<runs>" -DWORK=<a folder>
#       -P run.cmake
# Runs the program in a new folder, which holds the files of DATA, and of its folders those in WITH.
# Standard input is test.en.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
file(GLOB entries ${DATA}/*)
foreach(entry ${entries})
  if(NOT IS_DIRECTORY ${entry})
    file(COPY ${entry} DESTINATION ${WORK})
  endif()
endforeach()
separate_arguments(WITH)
foreach(folder ${WITH})
  get_filename_component(parent ${folder} DIRECTORY)
  file(COPY ${DATA}/${folder} DESTINATION ${WORK}/${parent})
endforeach()
execute_process(COMMAND ${PROGRAM} WORKING_DIRECTORY ${WORK} INPUT_FILE ${WORK}/test.en
                COMMAND_ERROR_IS_FATAL ANY)
