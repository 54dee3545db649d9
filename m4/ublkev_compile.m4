# SPDX-License-Identifier: BSD-2-Clause
# How ublk-ev is compiled: warnings, sanitizers, coverage, fuzzers, and what
# the linker and the system's headers can do.

# UBLKEV_WARNINGS: WARN_CFLAGS, every warning that this compiler knows.
AC_DEFUN([UBLKEV_WARNINGS], [
WARN_CFLAGS=
m4_foreach_w([ublkev_flag],
	[-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	 -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings
	 -Wundef -Wvla -Wconversion -Wno-sign-conversion -Wformat=2],
	[AC_MSG_CHECKING([whether $CC takes ublkev_flag])
	ublkev_save=$CFLAGS
	CFLAGS="$CFLAGS -Werror ublkev_flag"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
		[AC_MSG_RESULT([yes])
		 WARN_CFLAGS="$WARN_CFLAGS ublkev_flag"],
		[AC_MSG_RESULT([no])])
	CFLAGS=$ublkev_save
	])
AC_ARG_ENABLE([werror],
	[AS_HELP_STRING([--enable-werror], [make warnings errors])],
	[AS_IF([test "x$enableval" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])])
AC_SUBST([WARN_CFLAGS])
])

# UBLKEV_SANITIZERS: SAN_CFLAGS, for compiling and linking.
AC_DEFUN([UBLKEV_SANITIZERS], [
AC_ARG_ENABLE([sanitizers],
	[AS_HELP_STRING([--enable-sanitizers],
		[build with AddressSanitizer and UndefinedBehaviorSanitizer])],
	[], [enable_sanitizers=no])
AS_CASE([$enable_sanitizers],
	[yes], [SAN_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
		ublkev_sanitizers="address, undefined"],
	[no], [SAN_CFLAGS= ublkev_sanitizers=no],
	[AC_MSG_ERROR([--enable-sanitizers takes no value but yes and no])])
AC_SUBST([SAN_CFLAGS])
AM_CONDITIONAL([SANITIZERS], [test "x$enable_sanitizers" = xyes])
])

# UBLKEV_COVERAGE: COV_CFLAGS; `make check-coverage` reports.
AC_DEFUN([UBLKEV_COVERAGE], [
AC_ARG_ENABLE([coverage],
	[AS_HELP_STRING([--enable-coverage], [count the lines that the tests run])],
	[], [enable_coverage=no])
AS_IF([test "x$enable_coverage" = xyes],
	[AC_CHECK_PROG([GCOV], [gcov], [gcov])
	 AS_IF([test -z "$GCOV"], [AC_MSG_ERROR([--enable-coverage needs gcov, which comes with gcc])])
	 COV_CFLAGS="--coverage -O0"],
	[COV_CFLAGS=])
ublkev_coverage=$enable_coverage
AC_SUBST([COV_CFLAGS])
AM_CONDITIONAL([COVERAGE], [test "x$enable_coverage" = xyes])
])

# UBLKEV_FUZZERS: whether the fuzz_* programs are libFuzzer's; without it they
# run a fixed number of seeded inputs, as part of the tests.
AC_DEFUN([UBLKEV_FUZZERS], [
AC_ARG_ENABLE([fuzzers],
	[AS_HELP_STRING([--enable-fuzzers], [link tests/fuzz_* with libFuzzer (needs CC=clang)])],
	[], [enable_fuzzers=no])
AS_IF([test "x$enable_fuzzers" = xyes],
	[ublkev_save=$CFLAGS
	 CFLAGS="$CFLAGS -fsanitize=fuzzer"
	 AC_MSG_CHECKING([whether $CC has libFuzzer])
	 AC_LINK_IFELSE([AC_LANG_SOURCE([
		#include <stddef.h>
		#include <stdint.h>
		int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n);
		int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { (void)d; (void)n; return 0; }])],
		[AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		 AC_MSG_ERROR([--enable-fuzzers needs clang and its runtime: configure with CC=clang (packages clang, libclang-rt-14-dev)])])
	 CFLAGS=$ublkev_save
	 dnl what is fuzzed tells libFuzzer where it went
	 SAN_CFLAGS="$SAN_CFLAGS -fsanitize=fuzzer-no-link"])
ublkev_fuzzers=$enable_fuzzers
AM_CONDITIONAL([FUZZERS], [test "x$enable_fuzzers" = xyes])
])

# UBLKEV_UAPI: whether this system's headers describe ublk, so that src/uring
# can compare its own definitions with them.
AC_DEFUN([UBLKEV_UAPI], [
AC_CHECK_HEADER([linux/ublk_cmd.h],
	[AC_DEFINE([HAVE_LINUX_UBLK_CMD_H], [1], [the system's ublk ABI header is there to compare with])
	 ublkev_uapi="own definitions, compared with <linux/ublk_cmd.h>"],
	[ublkev_uapi="own definitions"])
])

# UBLKEV_VERSION_SCRIPT: whether the linker takes src/libublkev.map.
AC_DEFUN([UBLKEV_VERSION_SCRIPT], [
AC_MSG_CHECKING([whether the linker takes a version script])
ublkev_save=$LDFLAGS
echo '{ local: *; };' > conftest.map
LDFLAGS="$LDFLAGS -shared -fPIC -Wl,--version-script=conftest.map"
AC_LINK_IFELSE([AC_LANG_SOURCE([int f(void); int f(void) { return 0; }])],
	[ublkev_map=yes], [ublkev_map=no])
LDFLAGS=$ublkev_save
AC_MSG_RESULT([$ublkev_map])
AM_CONDITIONAL([VERSION_SCRIPT], [test "x$ublkev_map" = xyes])
])
