# SPDX-License-Identifier: Apache-2.0
#
# The few functions every CMakeLists.txt of the project is written in:
#
#   skep_module(NAME wire SOURCES pb.c json.c DEPENDS base LIBS yyjson libzstd)
#       static library skep_wire; sources relative to the calling folder; LIBS are pkg-config names
#   skep_program(NAME skep SOURCES main.c DEPENDS server [LIBS ...] [TEST_ONLY])
#       executable; `skep` lands in the build folder itself, all others in its bin/
#   skep_test(NAME test_arena SOURCES test_arena.c DEPENDS base [LIBS ...] [LABELS unit]
#             [TIMEOUT 120] [ARGS ...] [SERIAL])
#       cmocka executable, registered in CTest, run from the project's root; SERIAL: it starts no
#       thread, so the thread sanitizer has nothing to see in it and the Tsan build leaves it out
#   skep_support(NAME doubles SOURCES mem_os.c DEPENDS store)
#       static library of what several tests share, compiled once; they name it under DEPENDS, and
#       without cmocka those whose LIBS want it are left out with their tests
#   skep_fuzz(NAME fuzz_pb SOURCES fuzz_pb.c DEPENDS wire CORPUS corpus/pb)
#       libFuzzer binary in the fuzz preset; elsewhere a CTest test that replays the corpus
#
# The keyword NAME may be left out. The build type decides the flags: Release (default), Asan, Tsan,
# Fuzz, Coverage.

include_guard(GLOBAL)
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# Warnings are errors with the compilers of Debian 12, by which the project is measured; another
# version's new warnings must not keep a user from building.
set(measured OFF)
if((CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION MATCHES "^12\\.") OR
   (CMAKE_C_COMPILER_ID STREQUAL "Clang" AND CMAKE_C_COMPILER_VERSION MATCHES "^14\\."))
  set(measured ON)
endif()
option(SKEP_WERROR "Warnings are errors" ${measured})
option(SKEP_STRICT "A source or module that is listed but absent is an error" OFF)

# `make` and `make run` need no test library: they build what a user runs. `make test` says ON.
set(SKEP_TESTS AUTO CACHE STRING "Unit tests: ON needs cmocka, AUTO leaves them out without it")
pkg_check_modules(SKEP_CMOCKA QUIET cmocka)
if(NOT SKEP_CMOCKA_FOUND)
  if(SKEP_TESTS STREQUAL "ON")
    message(FATAL_ERROR "SKEP_TESTS=ON, but cmocka is not here: tools/setup-debian.sh build test")
  endif()
  message(STATUS "No cmocka: the unit tests are left out")
endif()

set(SKEP_BUILD_TYPES Release Asan Tsan Fuzz Coverage)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "One of ${SKEP_BUILD_TYPES}" FORCE)
endif()
if(NOT CMAKE_BUILD_TYPE IN_LIST SKEP_BUILD_TYPES)
  message(FATAL_ERROR "CMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}: use one of ${SKEP_BUILD_TYPES}")
endif()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)

# --- flags of the build types -------------------------------------------------------------------

set(SKEP_SAN_ASAN -fsanitize=address,undefined -fno-sanitize-recover=all)
set(SKEP_SAN_TSAN -fsanitize=thread)
# clang's pointer-overflow calls NULL + 0 an error, which empty slices do all the time and C2y
# defines; gcc's, in the Asan build, checks for real overflow alone.
set(SKEP_SAN_FUZZ -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
                  -fno-sanitize=pointer-overflow)

foreach(type IN ITEMS RELEASE ASAN TSAN FUZZ COVERAGE)
  set(CMAKE_EXE_LINKER_FLAGS_${type} "" CACHE STRING "" FORCE)
  set(CMAKE_SHARED_LINKER_FLAGS_${type} "" CACHE STRING "" FORCE)
  set(CMAKE_C_FLAGS_${type} "" CACHE STRING "" FORCE)
endforeach()

# What a sanitizer reports is a file and a line: these builds carry no more, a quarter less to compile.
# -DSKEP_DEBUG_INFO=-g brings the variables back for a debugger.
set(SKEP_DEBUG_INFO AUTO CACHE STRING "-g, -g1, ...; AUTO: -g in Release, -g1 elsewhere")
set(debug_info ${SKEP_DEBUG_INFO})
if(debug_info STREQUAL "AUTO")
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set(debug_info -g)
  else()
    set(debug_info -g1)
  endif()
endif()
add_compile_definitions(_GNU_SOURCE)
add_compile_options(${debug_info} -fno-omit-frame-pointer -fno-strict-aliasing
                    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)

# Appends each flag the compiler knows to the list named by `out`.
function(skep_known_flags out)
  set(known ${${out}})
  foreach(flag IN LISTS ARGN)
    string(MAKE_C_IDENTIFIER "SKEP_HAS${flag}" var)
    check_c_compiler_flag("-Werror ${flag}" ${var})
    if(${var})
      list(APPEND known ${flag})
    endif()
  endforeach()
  set(${out} ${known} PARENT_SCOPE)
endfunction()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  set(hardening "")
  skep_known_flags(hardening -fstack-protector-strong -fstack-clash-protection -fcf-protection
                   -ftrivial-auto-var-init=zero)
  add_compile_options(-O2 -fvect-cost-model=dynamic ${hardening} -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  add_link_options(-Wl,-z,relro,-z,now)
elseif(CMAKE_BUILD_TYPE STREQUAL "Coverage")
  add_compile_definitions(SKEP_DEBUG)
  add_compile_options(-O0 --coverage)
  add_link_options(--coverage)
else()
  string(TOUPPER ${CMAKE_BUILD_TYPE} type)
  add_compile_definitions(SKEP_DEBUG) # skep_dassert checks
  add_compile_options(-O1 ${SKEP_SAN_${type}})
  add_link_options(${SKEP_SAN_${type}})
endif()

# --- warnings -----------------------------------------------------------------------------------

set(SKEP_WARNINGS -Wall -Wextra)
if(SKEP_WERROR)
  list(APPEND SKEP_WARNINGS -Werror)
endif()
skep_known_flags(SKEP_WARNINGS
  -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith
  -Wcast-qual -Wcast-align -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough
  -Wdouble-promotion -Wconversion -Wswitch-enum -Wdate-time
  # gcc alone
  -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Walloca
  # clang alone
  -Wcomma -Wunreachable-code-aggressive -Wassign-enum -Wthread-safety)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  # What gcc's -Wconversion and -Wextra leave alone, clang's must too: signedness, and members that
  # an initializer with designators leaves zero.
  list(APPEND SKEP_WARNINGS -Wno-sign-conversion -Wno-missing-field-initializers)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # Instrumented code has bigger frames and odd flows; these two speak of the real code only.
  skep_known_flags(SKEP_WARNINGS -Wnull-dereference -Wframe-larger-than=16384)
elseif(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # Instrumentation makes gcc's flow-based guesses wrong; the Release build decides on them.
  list(APPEND SKEP_WARNINGS -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds
                            -Wno-format-truncation -Wno-restrict)
endif()
set(SKEP_TEST_WARNINGS -Wno-missing-prototypes -Wno-conversion -Wno-double-promotion
                       -Wno-switch-enum -Wno-cast-qual -Wno-null-dereference)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  list(APPEND SKEP_TEST_WARNINGS -Wno-unreachable-code-aggressive -Wno-assign-enum
                                 -Wno-missing-variable-declarations)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  list(APPEND SKEP_TEST_WARNINGS -Wno-frame-larger-than)
endif()

# --- helpers ------------------------------------------------------------------------------------

function(skep_subdirectory_if_present folder)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${folder}/CMakeLists.txt)
    add_subdirectory(${CMAKE_SOURCE_DIR}/${folder} ${CMAKE_BINARY_DIR}/sub/${folder})
  endif()
endfunction()

function(skep__absent text)
  if(SKEP_STRICT)
    message(FATAL_ERROR "${text}")
  endif()
  message(WARNING "${text}; left out (with -DSKEP_STRICT=ON an error)")
endfunction()

# Sets `out` to those of ARGN that exist, absolute; names the others. `complete` tells if all do.
function(skep__sources out complete target)
  set(found "")
  set(${complete} TRUE PARENT_SCOPE)
  foreach(source IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
    get_source_file_property(generated ${source} GENERATED)
    if(EXISTS ${source} OR generated)
      list(APPEND found ${source})
    else()
      set(${complete} FALSE PARENT_SCOPE)
      skep__absent("${target}: no such source: ${source}")
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# Sets `out` to TRUE if every module named in ARGN is there.
function(skep__have_modules out target)
  set(${out} TRUE PARENT_SCOPE)
  foreach(module IN LISTS ARGN)
    if(NOT TARGET skep_${module})
      set(${out} FALSE PARENT_SCOPE)
      skep__absent("${target}: no such module: ${module}")
    endif()
  endforeach()
endfunction()

# Links modules (DEPENDS) and pkg-config libraries (LIBS) to `target`.
function(skep__link target depends libs)
  foreach(module IN LISTS depends)
    if(TARGET skep_${module})
      target_link_libraries(${target} PUBLIC skep_${module})
    endif()
  endforeach()
  list(REMOVE_ITEM libs "")
  foreach(lib IN LISTS libs)
    string(MAKE_C_IDENTIFIER "PC_${lib}" prefix)
    if(NOT TARGET PkgConfig::${prefix})
      pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET GLOBAL ${lib})
    endif()
    target_link_libraries(${target} PUBLIC PkgConfig::${prefix})
  endforeach()
endfunction()

# The name may also stand first without its keyword: skep_module(wire SOURCES ...).
macro(skep__leading_name prefix)
  if(NOT ${prefix}_NAME)
    list(POP_FRONT ${prefix}_UNPARSED_ARGUMENTS ${prefix}_NAME)
  endif()
endmacro()

# --- what the project is made of ----------------------------------------------------------------

function(skep_module)
  cmake_parse_arguments(PARSE_ARGV 0 M "" "NAME" "SOURCES;DEPENDS;LIBS;DEFINES")
  skep__leading_name(M)
  if(M_UNPARSED_ARGUMENTS OR NOT M_NAME)
    message(FATAL_ERROR "skep_module: ${M_NAME} ${M_UNPARSED_ARGUMENTS}: use NAME SOURCES DEPENDS "
                        "LIBS DEFINES")
  endif()
  set(target skep_${M_NAME})
  skep__sources(sources complete ${target} ${M_SOURCES})
  if(NOT sources)
    return()
  endif()
  skep__have_modules(ignored ${target} ${M_DEPENDS})
  add_library(${target} STATIC ${sources})
  target_compile_options(${target} PRIVATE ${SKEP_WARNINGS})
  target_compile_definitions(${target} PRIVATE ${M_DEFINES})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC Threads::Threads)
  skep__link(${target} "${M_DEPENDS}" "${M_LIBS}")
endfunction()

function(skep_program)
  cmake_parse_arguments(PARSE_ARGV 0 P "TEST_ONLY" "NAME" "SOURCES;DEPENDS;LIBS;DEFINES")
  skep__leading_name(P)
  if(P_UNPARSED_ARGUMENTS OR NOT P_NAME)
    message(FATAL_ERROR "skep_program: ${P_NAME} ${P_UNPARSED_ARGUMENTS}: use NAME SOURCES DEPENDS "
                        "LIBS DEFINES TEST_ONLY")
  endif()
  if(P_TEST_ONLY AND CMAKE_BUILD_TYPE MATCHES "Asan|Tsan")
    return() # benchmarks and load makers: no test of these builds starts them
  endif()
  skep__sources(sources have_sources ${P_NAME} ${P_SOURCES})
  skep__have_modules(have_modules ${P_NAME} ${P_DEPENDS})
  if(NOT have_sources OR NOT have_modules)
    return()
  endif()
  add_executable(${P_NAME} ${sources})
  target_compile_options(${P_NAME} PRIVATE ${SKEP_WARNINGS})
  if(P_TEST_ONLY)
    target_compile_options(${P_NAME} PRIVATE ${SKEP_TEST_WARNINGS})
  endif()
  target_compile_definitions(${P_NAME} PRIVATE ${P_DEFINES})
  target_include_directories(${P_NAME} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${P_NAME} PRIVATE Threads::Threads)
  target_link_options(${P_NAME} PRIVATE -pie)
  skep__link(${P_NAME} "${P_DEPENDS}" "${P_LIBS}")
  if(P_NAME STREQUAL "skep")
    # Names and lines stay for gdb and perf, at a third of their size: under 15 MB with the page inside.
    target_link_options(skep PRIVATE -Wl,--compress-debug-sections=zlib)
    set_target_properties(${P_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  else()
    set_target_properties(${P_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  endif()
endfunction()

# Test programs, which nobody installs, are linked by the quickest linker there is.
set(SKEP_TEST_LINKER "")
if(NOT CMAKE_BUILD_TYPE STREQUAL "Fuzz")
  foreach(linker IN ITEMS gold lld)
    check_linker_flag(C -fuse-ld=${linker} SKEP_HAS_LINKER_${linker})
    if(SKEP_HAS_LINKER_${linker})
      set(SKEP_TEST_LINKER -fuse-ld=${linker})
      break()
    endif()
  endforeach()
endif()

function(skep__test_flags target)
  # cmocka.h wants these before itself, wherever clang-format sorts it to.
  target_compile_options(${target} PRIVATE ${SKEP_WARNINGS} ${SKEP_TEST_WARNINGS}
    "SHELL:-include stdarg.h" "SHELL:-include stddef.h" "SHELL:-include stdint.h"
    "SHELL:-include setjmp.h")
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${target} PRIVATE Threads::Threads)
endfunction()

function(skep__test_executable target depends libs)
  add_executable(${target} ${ARGN})
  target_link_options(${target} PRIVATE ${SKEP_TEST_LINKER})
  skep__test_flags(${target})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  skep__link(${target} "${depends}" "${libs}")
endfunction()

function(skep_support)
  cmake_parse_arguments(PARSE_ARGV 0 S "" "NAME" "SOURCES;DEPENDS;LIBS")
  skep__leading_name(S)
  if(S_UNPARSED_ARGUMENTS OR NOT S_NAME)
    message(FATAL_ERROR "skep_support: ${S_NAME} ${S_UNPARSED_ARGUMENTS}: use NAME SOURCES DEPENDS "
                        "LIBS")
  endif()
  if("cmocka" IN_LIST S_LIBS AND NOT SKEP_CMOCKA_FOUND)
    return()
  endif()
  skep__sources(sources have_sources skep_${S_NAME} ${S_SOURCES})
  skep__have_modules(have_modules skep_${S_NAME} ${S_DEPENDS})
  if(NOT have_sources OR NOT have_modules)
    return()
  endif()
  add_library(skep_${S_NAME} STATIC EXCLUDE_FROM_ALL ${sources})
  skep__test_flags(skep_${S_NAME})
  skep__link(skep_${S_NAME} "${S_DEPENDS}" "${S_LIBS}")
endfunction()

# What every test may rely on: run from the project's root, with the build folder and the server's
# path in its environment, and with sanitizers that stop at the first finding.
function(skep__test_properties name timeout)
  set(cost ${timeout})
  math(EXPR timeout "3 * ${timeout}") # a machine that others use, too
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    math(EXPR timeout "4 * ${timeout}") # instrumented code is so much slower
  endif()
  set_tests_properties(${name} PROPERTIES
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    TIMEOUT ${timeout}
    COST ${cost} # the long ones first, so that none of them runs alone at the end
    LABELS "${ARGN}"
    ENVIRONMENT "SKEP_BUILD_DIR=${CMAKE_BINARY_DIR};SKEP_BIN=${CMAKE_BINARY_DIR}/skep;\
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1;TSAN_OPTIONS=halt_on_error=1;\
ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1")
endfunction()

function(skep_test)
  cmake_parse_arguments(PARSE_ARGV 0 T "SERIAL" "NAME;TIMEOUT" "SOURCES;DEPENDS;LIBS;LABELS;ARGS")
  skep__leading_name(T)
  if(T_UNPARSED_ARGUMENTS OR NOT T_NAME)
    message(FATAL_ERROR "skep_test: ${T_NAME} ${T_UNPARSED_ARGUMENTS}: use NAME SOURCES DEPENDS "
                        "LIBS LABELS TIMEOUT ARGS SERIAL")
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Fuzz" OR NOT SKEP_CMOCKA_FOUND)
    return()
  endif()
  if(T_SERIAL AND CMAKE_BUILD_TYPE STREQUAL "Tsan")
    return()
  endif()
  skep__sources(sources have_sources ${T_NAME} ${T_SOURCES})
  skep__have_modules(have_modules ${T_NAME} ${T_DEPENDS})
  if(NOT have_sources OR NOT have_modules)
    return()
  endif()
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  skep__test_executable(${T_NAME} "${T_DEPENDS}" "cmocka;${T_LIBS}" ${sources})
  add_test(NAME ${T_NAME} COMMAND ${T_NAME} ${T_ARGS})
  skep__test_properties(${T_NAME} ${T_TIMEOUT} ${T_LABELS})
endfunction()

function(skep_fuzz)
  cmake_parse_arguments(PARSE_ARGV 0 F "" "NAME;CORPUS;TIMEOUT" "SOURCES;DEPENDS;LIBS")
  skep__leading_name(F)
  if(F_UNPARSED_ARGUMENTS OR NOT F_NAME OR NOT F_CORPUS)
    message(FATAL_ERROR "skep_fuzz: ${F_NAME} ${F_UNPARSED_ARGUMENTS}: use NAME SOURCES DEPENDS "
                        "LIBS CORPUS TIMEOUT")
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL "Tsan")
    return() # parsers start no threads
  endif()
  skep__sources(sources have_sources ${F_NAME} ${F_SOURCES})
  skep__have_modules(have_modules ${F_NAME} ${F_DEPENDS})
  if(NOT have_sources OR NOT have_modules)
    return()
  endif()
  if(NOT F_TIMEOUT)
    set(F_TIMEOUT 120)
  endif()
  cmake_path(ABSOLUTE_PATH F_CORPUS BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE)
  if(CMAKE_BUILD_TYPE STREQUAL "Fuzz")
    skep__test_executable(${F_NAME} "${F_DEPENDS}" "${F_LIBS}" ${sources})
    target_link_options(${F_NAME} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${F_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    file(WRITE ${CMAKE_BINARY_DIR}/fuzz/${F_NAME}.corpus "${F_CORPUS}\n") # for tools/fuzz.sh
    return()
  endif()
  skep__test_executable(${F_NAME} "replay;${F_DEPENDS}" "${F_LIBS}" ${sources})
  add_test(NAME ${F_NAME} COMMAND ${F_NAME} ${F_CORPUS})
  skep__test_properties(${F_NAME} ${F_TIMEOUT} fuzz)
endfunction()
