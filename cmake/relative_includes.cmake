# Run by cmake --install: makes every include of an installed header that names another of Heed's
# relative to the file it stands in ("framework/ops.h" within layers/ becomes "../framework/ops.h"),
# so that no folder of the including project is searched for it.
# HEED_HEADERS: where the headers lie, absolute or under the prefix. HEED_FOLDERS: their folders.
if(NOT IS_ABSOLUTE "${HEED_HEADERS}")
  set(HEED_HEADERS "${CMAKE_INSTALL_PREFIX}/${HEED_HEADERS}")
endif()
set(root "$ENV{DESTDIR}${HEED_HEADERS}")

list(JOIN HEED_FOLDERS "|" any_folder)
file(GLOB_RECURSE headers RELATIVE "${root}" "${root}/*.h")
foreach(header IN LISTS headers)
  string(REGEX MATCHALL "/" folders "${header}")
  list(LENGTH folders depth)
  if(depth EQUAL 0)
    continue()  # heed.h: its includes are relative to its folder as they stand
  endif()
  string(REPEAT "../" ${depth} up)
  file(READ "${root}/${header}" text)
  string(REGEX REPLACE "#include \"((${any_folder})/)" "#include \"${up}\\1"
         changed "${text}")
  if(NOT changed STREQUAL text)
    file(WRITE "${root}/${header}" "${changed}")
  endif()
endforeach()
