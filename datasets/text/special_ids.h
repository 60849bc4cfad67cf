#pragma once

#include "framework/types.h"

namespace heed {

// The ids with which every vocabulary begins.
inline constexpr Id pad_id = 0;
inline constexpr Id bos_id = 1;
inline constexpr Id eos_id = 2;
inline constexpr Id unk_id = 3;
inline constexpr Id first_free_id = 4;
inline constexpr Id ignored_id = pad_id;  // in text: rows with this gold id do not count in a loss

}  // namespace heed
