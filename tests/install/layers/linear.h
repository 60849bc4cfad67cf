#pragma once

// A project may have folders named as Heed's are, and -I to them before Heed's.
namespace mine {
struct Linear {
  static constexpr bool is_mine = true;
};
}  // namespace mine
