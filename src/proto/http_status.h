// HTTP statuses of the numbered codes (RFC 9110 section 15), and the error body of the HTTP
// addresses.
#pragma once
#include <string>

#include "core/result.h"

namespace footlight::proto {

int http_status(Code code);  // 200 for kOk; 500 for a number that is not in the table

// {"code":4305,"message":"…","retry_after_ms":0}
std::string error_json(const Error& error);

}  // namespace footlight::proto
