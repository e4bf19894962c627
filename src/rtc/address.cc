#include "rtc/address.h"

#include <cstdio>

#include "rtc/wire.h"

namespace footlight::rtc {

std::string to_string(const Address& address) {
  char text[64];
  int size = 0;
  if (address.v6) {
    text[size++] = '[';
    for (int group = 0; group < 8; ++group) {
      size +=
          std::snprintf(text + size, sizeof text - static_cast<size_t>(size), "%s%x",
                        group ? ":" : "", load_u16(&address.ip[static_cast<size_t>(group) * 2]));
    }
    text[size++] = ']';
  } else {
    size = std::snprintf(text, sizeof text, "%u.%u.%u.%u", address.ip[0], address.ip[1],
                         address.ip[2], address.ip[3]);
  }
  size += std::snprintf(text + size, sizeof text - static_cast<size_t>(size), ":%u", address.port);
  return {text, static_cast<size_t>(size)};
}

}  // namespace footlight::rtc
