# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Prints how many tests passed, failed and were skipped, from the summary that Meson writes.

/^(Ok|Expected Fail): / { passed += $NF }
/^(Fail|Unexpected Pass|Timeout): / { failed += $NF }
/^Skipped: / { skipped += $NF }
END { print passed + 0, failed + 0, skipped + 0 }
