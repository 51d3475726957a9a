/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), the checksum of iSCSI and ext4: one changed bit, or several close together, never go unnoticed.
 *
 *     dwci_crc32c(0, "123456789", 9) == 0xe3069283 */
#ifndef DWC_CORE_CHECKSUM_H
#define DWC_CORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` is the checksum of (0: of nothing) with these bytes behind it. */
uint32_t dwci_crc32c(uint32_t crc, const void *data, size_t bytes);

#endif
