# SPDX-License-Identifier: Apache-2.0
# CMake toolchain file: AArch64 Linux, from another machine, on Debian and Ubuntu. Programs run in qemu's user mode
# emulation, so that ctest works in such a build. Needed beside the usual tools:
#
#     dpkg --add-architecture arm64 && apt-get update
#     apt-get install gcc-aarch64-linux-gnu qemu-user libjansson-dev:arm64 libcmocka-dev:arm64 libgomp1:arm64
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
find_program(DWC_QEMU qemu-aarch64)
if(DWC_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${DWC_QEMU})
endif()

# Libraries of that architecture only; where pkg-config's answers lie too.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu /usr/lib/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# MPI's compiler wrappers are those of the machine that builds.
set(DWC_WITH_MPI OFF CACHE STRING "several processes by MPI: AUTO, ON, OFF")
