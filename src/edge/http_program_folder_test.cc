#include "edge/http_program_folder.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;

class PushFolderTest : public testing::Test {
 protected:
  PushFolderTest() {
    char path[] = "/tmp/footlight-push-XXXXXX";
    folder_ = mkdtemp(path);
  }
  ~PushFolderTest() override { fs::remove_all(folder_); }
  void write(const std::string& name) {
    fs::create_directories((fs::path(folder_) / name).parent_path());
    std::ofstream(folder_ + "/" + name) << "x";
  }
  bool there(const std::string& name) const {
    return fs::exists(fs::symlink_status(folder_ + "/" + name));
  }
  std::string folder_;
};

TEST_F(PushFolderTest, WhatEarlierStreamsLeftIsFoundAndNothingElse) {
  for (const char* ours : {"e0/v720.m3u8", "e0/v720/init-0.mp4", "e0/v720/s12.m4s", "e0/t3.jpg",
                           "e0/v720/s12.p1.m4s", "e0/v720/s13.m4s.part", "e1/a/s7.m4s"}) {
    write(ours);
  }
  for (const char* other : {"index.m3u8", "poster.jpg", "recording.json", "notes.txt", "s1.m4s",
                            "e0/readme", "e0/v720/s012.m4s", "e0/v720/deep/s1.m4s", "E2/v/s1.m4s",
                            "e0/v720/s1.m4s.bak", "e3/v720/s0.m4s", "e3/v720/vod.m3u8"}) {
    write(other);
  }
  fs::create_directories(folder_ + "/outside/v720");
  write("outside/v720/notes");
  fs::create_symlink(folder_ + "/e3", folder_ + "/e4");
  fs::create_symlink(folder_ + "/e3/v720", folder_ + "/e1/v480");
  fs::create_symlink(folder_ + "/notes.txt", folder_ + "/e1/a/s8.m4s");
  EXPECT_THAT(leftovers(folder_),
              testing::UnorderedElementsAre("e0/v720.m3u8", "e0/v720/init-0.mp4", "e0/v720/s12.m4s",
                                            "e0/t3.jpg", "e0/v720/s12.p1.m4s",
                                            "e0/v720/s13.m4s.part", "e1/a/s7.m4s"))
      << "e3 is a recording";
  EXPECT_TRUE(leftovers(folder_ + "/nowhere").empty());
}

TEST_F(PushFolderTest, WhatIsRemovedLeavesNoEmptyFolderOfItsEpochBehind) {
  write("e0/v720.m3u8");
  write("e0/v720/s1.m4s");
  write("e0/v720/s2.m4s");
  const auto remove = [this](const std::string& name) {
    hls::PushJob job;
    job.remove = true;
    job.name = name;
    EXPECT_TRUE(carry_to_folder(folder_, job));
  };
  remove("e0/v720/s1.m4s");
  EXPECT_TRUE(there("e0/v720/s2.m4s"));
  remove("e0/v720/s2.m4s");
  EXPECT_FALSE(there("e0/v720"));
  EXPECT_TRUE(there("e0/v720.m3u8"));
  remove("e0/v720.m3u8");
  remove("e0/v720.m3u8");
  EXPECT_FALSE(there("e0"));
  EXPECT_TRUE(fs::exists(folder_));
}

TEST_F(PushFolderTest, ADiskWithoutRoomIsToldByItsCodeAndHasNoHalfAFile) {
  hls::PushJob job;
  job.name = "e0/v720/s1.m4s";
  job.body.add(make_blob(std::string(10'000, 'x')));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit little{1'000, before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
  const Status status = carry_to_folder(folder_, job);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  (void)std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kPushFull);
  EXPECT_TRUE(fs::is_empty(folder_ + "/e0/v720"));
  EXPECT_TRUE(carry_to_folder(folder_, job)) << "there is room again";
  EXPECT_EQ(fs::file_size(folder_ + "/e0/v720/s1.m4s"), 10'000u);
}

}  // namespace
}  // namespace footlight::edge
