# SPDX-License-Identifier: LGPL-2.1-or-later
eval "$(iscsi-wmi completion bash)"
