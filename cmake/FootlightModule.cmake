# Coverage of the code under test, not only of the fuzz target's own file, is what guides a fuzzer. Unit tests do without
# and are compiled a fifth faster.
function(footlight_covered target)
  if(FOOTLIGHT_FUZZ)
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# What nearly every file includes, parsed once: footlight_std for the rooms, footlight_gtest for tests; a file
# still includes what it uses.
function(footlight_precompiled target from)
  if(NOT TARGET ${from})
    set(std <algorithm> <array> <expected> <functional> <map> <memory> <optional> <set> <span> <string> <string_view>
      <unordered_map> <variant> <vector>)
    file(WRITE ${CMAKE_BINARY_DIR}/empty.cc "int main() {}\n")
    if(from STREQUAL footlight_gtest)
      add_executable(${from} ${CMAKE_BINARY_DIR}/empty.cc)  # -fPIE, as the tests
      target_link_libraries(${from} PRIVATE GTest::gtest_main GTest::gmock)
      target_compile_options(${from} PRIVATE -O0 -g1)
      target_compile_definitions(${from} PRIVATE FOOTLIGHT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
      target_precompile_headers(${from} PRIVATE ${std} <gtest/gtest.h> <gmock/gmock.h>)
    else()
      add_library(${from} OBJECT ${CMAKE_BINARY_DIR}/empty.cc)
      footlight_covered(${from})
      target_precompile_headers(${from} PRIVATE ${std})
    endif()
  endif()
  if(from STREQUAL footlight_std)
    footlight_covered(${target})
  endif()
  target_precompile_headers(${target} REUSE_FROM ${from})
endfunction()

# The files of a room are compiled eight at a time, which takes less than half the time from nothing; the same name
# in two files' unnamed namespaces is then an error. Who edits and compiles all day may switch it off:
# cmake --preset release -DFOOTLIGHT_UNITY=OFF. Tests are compiled one by one: their helpers may have one name.
option(FOOTLIGHT_UNITY "compile the files of a room together" ON)
function(footlight_unity target)
  if(FOOTLIGHT_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

# footlight_module(NAME [DEPS target...] [TEST_DEPS target...] [EXCLUDE regex] [PRECOMPILE header...])
#
# One library per room: footlight_NAME from all *.cc of the folder (not of its sub-folders, except
# internal/), and footlight_NAME_test from its *_test.cc; EXCLUDE leaves files to another target;
# PRECOMPILE names headers instead of the usual ones, TEST_PRECOMPILE what the room's tests share besides
# GoogleTest. The rooms check reads the DEPS.
function(footlight_module name)
  cmake_parse_arguments(ARG "" "EXCLUDE" "DEPS;TEST_DEPS;PRECOMPILE;TEST_PRECOMPILE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc internal/*.cc)
  if(ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "${ARG_EXCLUDE}")
  endif()
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(target footlight_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src>)
    target_link_libraries(${target} PUBLIC ${ARG_DEPS})
    if(ARG_PRECOMPILE)
      footlight_covered(${target})
      target_precompile_headers(${target} PRIVATE ${ARG_PRECOMPILE})
    else()
      footlight_precompiled(${target} footlight_std)
    endif()
    footlight_unity(${target})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${ARG_DEPS})
  endif()
  if(FOOTLIGHT_TESTS AND tests)
    footlight_test(${name}_test SOURCES ${tests} DEPS ${target} ${ARG_TEST_DEPS} PRECOMPILE ${ARG_TEST_PRECOMPILE})
  endif()
endfunction()

# footlight_test(NAME SOURCES file... DEPS target... [PRECOMPILE header...]): a GoogleTest program run by ctest as
# one test.
function(footlight_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRECOMPILE" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gtest_main GTest::gmock)
  # A test's own code need not be fast: it is compiled in half the time.
  target_compile_options(${name} PRIVATE -O0 -g1)
  target_compile_definitions(${name} PRIVATE FOOTLIGHT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  if(ARG_PRECOMPILE)
    target_precompile_headers(${name} PRIVATE <gtest/gtest.h> <gmock/gmock.h> ${ARG_PRECOMPILE})
  else()
    footlight_precompiled(${name} footlight_gtest)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
