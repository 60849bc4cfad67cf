#pragma once

// A project may have folders with the names of Heed's, and may search them first (-I).
namespace mine {
struct Linear {
  static constexpr bool is_mine = true;
};
}  // namespace mine
