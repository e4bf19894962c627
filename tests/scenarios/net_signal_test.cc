// Signals that are waited for (net/asio/system.h).
#include <gtest/gtest.h>

#include <csignal>

#include "net/asio/system.h"

namespace footlight::net {
namespace {

TEST(SignalWaiter, TakesSignalsAndThoseItHasNotBeenAskedForEndNothing) {
  {
    SignalWaiter signals;
    EXPECT_EQ(signals.wait(0), 0);
    std::raise(SIGHUP);
    EXPECT_EQ(signals.wait(0), SIGHUP);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) std::raise(each);
  }
  SUCCEED() << "or this process would be no more";
}

}  // namespace
}  // namespace footlight::net
