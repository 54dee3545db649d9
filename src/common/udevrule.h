/* SPDX-License-Identifier: BSD-2-Clause */
/* udevrule.h - whether udev gives ordinary users their devices */
#ifndef COMMON_UDEVRULE_H
#define COMMON_UDEVRULE_H

/* the directories of udev's rules, below / */
#define UDEVRULE_DIRS "/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"

/*
 * Whether udev is at work here and none of its rules names /dev/ublkcN: then
 * the device of an ordinary user's is never that user's. `root` goes before
 * the paths.
 */
int udevrule_is_missing(const char *root);

#endif /* COMMON_UDEVRULE_H */
