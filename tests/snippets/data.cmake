# cmake -DHEED=<the command> -DDATA=<a folder> -P data.cmake
# Makes what the programs of the pages find in their folders:
#   train.en train.fr test.en test.fr   lines of toy:translation
#   out.txt a.txt b.txt                 outputs for test.en, and two references for each
#   text.txt                            running text
#   runs/en-fr runs/lm                  two runs of 20 steps; a program gets those that it asks for
function(heed)
  execute_process(COMMAND ${HEED} ${ARGV} WORKING_DIRECTORY ${DATA} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${DATA})
file(MAKE_DIRECTORY ${DATA}/runs)
foreach(split_lines train=400 test=20)
  string(REPLACE "=" ";" split_lines ${split_lines})
  list(GET split_lines 0 split)
  list(GET split_lines 1 lines)
  heed(corpus toy:translation --lines ${lines} --split ${split} --out ${split})
  file(RENAME ${DATA}/${split}.src ${DATA}/${split}.en)
  file(RENAME ${DATA}/${split}.tgt ${DATA}/${split}.fr)
endforeach()
configure_file(${DATA}/train.en ${DATA}/text.txt COPYONLY)
configure_file(${DATA}/test.fr ${DATA}/a.txt COPYONLY)
configure_file(${DATA}/test.fr ${DATA}/b.txt COPYONLY)

set(small --steps 20 --set model.d=32 --set model.layers=1)
heed(train --train train.en train.fr --model transformer ${small} --out runs/en-fr)
heed(train --train text.txt --model lm ${small} --out runs/lm)
execute_process(COMMAND ${HEED} translate --run runs/en-fr --beam 1 --max-length 20
                WORKING_DIRECTORY ${DATA} INPUT_FILE ${DATA}/test.en OUTPUT_FILE ${DATA}/out.txt
                COMMAND_ERROR_IS_FATAL ANY)
