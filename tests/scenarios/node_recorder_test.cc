// Recordings on a real disk and through the node's API: files where they belong, a disk that takes
// no more ends the recording with its number, and only the producer records.
#include "edge/node_recorder.h"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <future>

#include "node_support.h"
#include "sfu/recording.h"

namespace footlight::edge {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

// One picture that is recorded, on the shard's thread as in the node.
class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    char path[] = "/tmp/footlight-record-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~RecorderTest() override {
    on_shard([this] { recording_->stop({Code::kOk, {}, 0}, 2); });
    shard_.stop();
    shard_.join();
    recorder_.reset();
    recording_.reset();
    fs::remove_all(directory_);
  }
  void begin(uint64_t keep_free = 0) {
    recorder_ = std::make_unique<NodeRecorder>(directory_, keep_free, shard_);
    pool_ = std::make_unique<sfu::RecordPool>(*recorder_, sfu::RecordLimits{});
    recorder_->set_pool(pool_.get());
    recording_ = std::make_unique<sfu::Recording>(*pool_, "demo.media/take", "take", 0, 0);
    track_.mid = "0";
    track_.codec.codec = rtc::RtpCodec::kVp8;
    track_.codec.clock_rate = 90'000;
    track_.encodings.push_back({"", 1, 0, sfu::IncomingStream({}, packets_)});
    recording_->add(track_, {.account = "00ab00ab00ab00ab"}, 0);
    shard_.start();
  }
  void on_shard(const std::function<void()>& job) {
    std::promise<void> done;
    shard_.post([&] {
      job();
      done.set_value();
    });
    done.get_future().wait();
  }
  void record(int packets) {
    on_shard([&] {
      sfu::Packet packet;
      const Bytes bytes(1'000, 0x55);
      packet.view.bytes = bytes;
      for (int i = 0; i < packets; ++i) track_.encodings[0].recorded->on_rtp(packet, 1);
      recording_->on_time(kUsPerSecond * 10);
    });
  }
  // Until everything that was handed out has come back.
  Code settled() {
    for (;;) {
      Code code = Code::kOk;
      bool all = false;
      on_shard([&] {
        code = recording_->trouble().code;
        all = recording_->stats().written_bytes == recording_->stats().bytes;
      });
      if (all || code != Code::kOk) return code;
    }
  }

  std::string directory_;
  net::Shard shard_{0};
  sfu::PacketPool packets_{1024};
  sfu::Track track_;
  std::unique_ptr<NodeRecorder> recorder_;
  std::unique_ptr<sfu::RecordPool> pool_;
  std::unique_ptr<sfu::Recording> recording_;
};

TEST_F(RecorderTest, what_is_recorded_is_in_its_file) {
  begin();
  record(500);
  EXPECT_EQ(settled(), Code::kOk);
  const fs::path file = fs::path(directory_) / "demo.media/take/0001-video-00ab00ab00ab00ab.flrec";
  EXPECT_EQ(fs::file_size(file), recording_->stats().bytes);
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto reader = sfu::RecordReader::open(as_bytes(text));
  ASSERT_TRUE(reader);
  EXPECT_EQ(fs::status(file).permissions() & fs::perms::others_all, fs::perms::none)
      << "what people said is not for everybody on the machine";
}

TEST_F(RecorderTest, a_disk_that_takes_no_more_ends_it_with_its_number) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{200'000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  begin();
  record(500);
  const Code code = settled();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(code, Code::kRecordDiskFull);
}

TEST_F(RecorderTest, it_ends_before_it_takes_the_room_of_the_event_logs) {
  begin(uint64_t{1} << 60);
  record(10);
  EXPECT_EQ(settled(), Code::kRecordDiskFull);
  EXPECT_THAT(recording_->trouble().detail, HasSubstr("record_keep_free_bytes"));
}

TEST_F(RecorderTest, a_folder_that_cannot_be_made_ends_it) {
  std::ofstream(directory_ + "/demo.media") << "a file in the way";
  begin();
  record(10);
  EXPECT_EQ(settled(), Code::kRecordIo);
}

TEST_F(RecorderTest, a_file_is_never_written_over) {
  fs::create_directories(directory_ + "/demo.media/take");
  const std::string file = directory_ + "/demo.media/take/0001-video-00ab00ab00ab00ab.flrec";
  std::ofstream(file) << "an earlier one";
  begin();
  record(10);
  EXPECT_EQ(settled(), Code::kRecordIo);
  EXPECT_EQ(fs::file_size(file), 14u);
}

TEST_F(NodeTest, the_producer_alone_records_and_sees_figures) {
  start();
  const std::string path = "/v1/episodes/demo/recording";
  const auto producer = bearer(token_of("boss", proto::Role::kProducer));
  const auto player = bearer(token_of("ann", proto::Role::kPlayer));
  EXPECT_EQ(call("GET", path).status, 401);
  EXPECT_EQ(call("POST", path, R"({"on":true})", player).status, 403);
  EXPECT_EQ(call("GET", path, "", producer).body, R"({"recording":false})");
  const auto begun = call("POST", path, R"({"on":true})", producer);
  EXPECT_EQ(begun.status, 200);
  EXPECT_THAT(begun.body, StartsWith(R"({"recording":true,"folder":"demo.media/2)"));
  EXPECT_THAT(call("POST", path, R"({"on":false})", producer).body, HasSubstr("\"ended_ms\":"));
  EXPECT_EQ(call("POST", path, "now", producer).status, 400);
  EXPECT_EQ(call("DELETE", path, "", producer).header("Allow"), "GET, POST");
  EXPECT_THAT(call("GET", "/v1/episodes/demo/media", "", producer).body,
              StartsWith(R"({"sessions":[],"recording":{"recording":false)"));
}

TEST_F(NodeTest, a_node_without_media_records_nothing) {
  NodeOptions made = options();
  made.config.media.enabled = false;
  start(std::move(made));
  const auto producer = bearer(token_of("boss", proto::Role::kProducer));
  const auto answer = call("GET", "/v1/episodes/demo/recording", "", producer);
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(code_of(answer), 4757);
}

}  // namespace
}  // namespace footlight::edge
