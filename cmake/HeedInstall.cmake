# cmake --install: headers to include/heed/<folder>/, the libraries, the program `heed`, and a
# package for find_package(Heed).
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Heed)
list(TRANSFORM HEED_FOLDERS PREPEND heed_ OUTPUT_VARIABLE libraries)
install(TARGETS heed_settings ${libraries} heed_inference heed_all EXPORT HeedTargets)
install(EXPORT HeedTargets NAMESPACE Heed:: DESTINATION ${package})
if(TARGET heed)
  install(TARGETS heed)
endif()

# Headers in folders of these names are internal; every other header is installed.
install(DIRECTORY ${HEED_FOLDERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed
        FILES_MATCHING PATTERN "*.h"
        PATTERN internal EXCLUDE
        PATTERN kernels EXCLUDE
        PATTERN ops EXCLUDE)
install(FILES heed.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed)
# A user's project may have folders of these names too, which must not answer for Heed's.
install(CODE "set(HEED_HEADERS \"${CMAKE_INSTALL_INCLUDEDIR}/heed\")")
install(CODE "set(HEED_FOLDERS \"${HEED_FOLDERS}\")")
install(SCRIPT cmake/relative_includes.cmake)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(config ${PROJECT_BINARY_DIR}/HeedConfig.cmake)
set(config_version ${PROJECT_BINARY_DIR}/HeedConfigVersion.cmake)
configure_package_config_file(cmake/HeedConfig.cmake.in ${config} INSTALL_DESTINATION ${package})
write_basic_package_version_file(${config_version} COMPATIBILITY SameMinorVersion)
install(FILES ${config} ${config_version} DESTINATION ${package})

if(HEED_TESTS)
  add_test(NAME install.package
           COMMAND ${CMAKE_COMMAND} -DBUILD=${PROJECT_BINARY_DIR}
                   -DWORK=${PROJECT_BINARY_DIR}/package_test
                   -P ${PROJECT_SOURCE_DIR}/tests/install/run.cmake)
  set_tests_properties(install.package PROPERTIES LABELS package TIMEOUT 600)
endif()
