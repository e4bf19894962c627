// The congestion control, the layers and the repair of losses, measured in a virtual network.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "virtual_network.h"

namespace footlight::sfu {
namespace {

constexpr MonoUs kSecond = kUsPerSecond;

struct Stage {
  explicit Stage(uint64_t seed, size_t slots = 30'000) : world(seed), pool(slots) {
    drive(world, room);
  }
  World world;
  PacketPool pool;
  Room room{pool};
};

std::shared_ptr<Link> link(World& world, int64_t rate_bps, uint32_t loss_per_million = 0) {
  return std::make_shared<Link>(world, Link::Config{rate_bps, 25'000, 300'000, loss_per_million});
}

TEST(SfuNetwork, TheEstimateIsWithinAFifthOfAOneMegabitBottleneckInFiveSeconds) {
  for (const uint64_t seed : {1, 2, 3}) {
    Stage stage(seed);
    Performer gm(stage.world, stage.room, stage.pool, {});
    Viewer viewer(stage.world, stage.room, link(stage.world, 1'000'000));
    viewer.watch(gm);
    stage.world.run_until(5 * kSecond);
    double sum = 0;
    for (int second = 5; second < 20; ++second) {
      stage.world.run_until(second * kSecond);
      const auto estimate = static_cast<double>(viewer.estimate_bps());
      EXPECT_GE(estimate, 800'000) << "seed " << seed << " second " << second;
      EXPECT_LE(estimate, 1'200'000) << "seed " << seed << " second " << second;
      sum += estimate;
    }
    RecordProperty("mean_bps_" + std::to_string(seed), static_cast<int>(sum / 15));
    EXPECT_EQ(viewer.encoding(gm), 1);
    EXPECT_EQ(viewer.voice(gm).lost_for_good, 0u);
  }
}

TEST(SfuNetwork, AWidePathIsFoundAndTheBestEncodingShown) {
  Stage stage(4);
  Performer gm(stage.world, stage.room, stage.pool, {});
  Viewer viewer(stage.world, stage.room, link(stage.world, 20'000'000));
  viewer.watch(gm);
  stage.world.run_until(10 * kSecond);
  EXPECT_EQ(viewer.encoding(gm), 2);
  viewer.reset_seen();
  stage.world.run_until(20 * kSecond);
  EXPECT_EQ(viewer.encoding(gm), 2);
  EXPECT_GT(viewer.picture(gm).frames, 290u);
  EXPECT_LT(viewer.picture(gm).longest_freeze_us, 100'000);
}

// While the only picture waits, nothing is sent and so nothing told: the estimate must not wait for
// feedback to let it probe.
TEST(SfuNetwork, APictureThatIsAllThereIsComesBackWhenThePathIsWideAgain) {
  for (const uint64_t seed : {1, 2, 3}) {
    Stage stage(seed);
    Performer gm(stage.world, stage.room, stage.pool, {{2'500'000}, 1, 30, 1000, false});
    const auto down = link(stage.world, 10'000'000);
    Viewer viewer(stage.world, stage.room, down);
    viewer.watch(gm);
    stage.world.run_until(10 * kSecond);
    ASSERT_EQ(viewer.encoding(gm), 0) << seed;
    down->set_rate(300'000);
    stage.world.run_until(14 * kSecond);
    EXPECT_EQ(viewer.encoding(gm), -1) << seed;
    down->set_rate(10'000'000);
    stage.world.run_until(30 * kSecond);
    EXPECT_EQ(viewer.encoding(gm), 0) << seed;
  }
}

TEST(SfuNetwork, FivePercentLossLeavesAudioWholeAndVideoWithoutFreezes) {
  for (const uint64_t seed : {5, 6}) {
    Stage stage(seed);
    Performer gm(stage.world, stage.room, stage.pool, {});
    Viewer viewer(stage.world, stage.room, link(stage.world, 5'000'000, 50'000));
    viewer.watch(gm);
    stage.world.run_until(5 * kSecond);
    viewer.reset_seen();
    stage.world.run_until(25 * kSecond);
    const Seen& voice = viewer.voice(gm);
    EXPECT_LE(voice.lost_for_good, (voice.packets + voice.lost_for_good) / 100);
    EXPECT_GT(voice.packets, 980u);
    EXPECT_LE(viewer.picture(gm).longest_freeze_us, 500'000);
    EXPECT_GT(viewer.picture(gm).frames, 560u);
  }
}

// Of 100 seeds 97 stay within 1.5 (mean 1.22, worst 1.54).
TEST(SfuNetwork, ThreeFlowsBehindOneBottleneckShareWithinOneAndAHalfOnTheMean) {
  double sum = 0;
  constexpr int kSeeds = 8;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Stage stage(seed);
    Performer gm(stage.world, stage.room, stage.pool,
                 {{150'000, 400'000, 700'000, 1'000'000}, 2, 30, 1000, true});
    const auto shared = link(stage.world, 3'000'000);
    std::vector<std::unique_ptr<Viewer>> viewers;
    for (int i = 0; i < 3; ++i) {
      viewers.push_back(std::make_unique<Viewer>(stage.world, stage.room, shared));
      viewers.back()->watch(gm);
    }
    stage.world.run_until(15 * kSecond);
    for (auto& viewer : viewers) viewer->reset_seen();
    stage.world.run_until(60 * kSecond);
    double least = 1e18, most = 0;
    for (auto& viewer : viewers) {
      const auto bytes = static_cast<double>(viewer->picture(gm).bytes + viewer->voice(gm).bytes);
      least = std::min(least, bytes);
      most = std::max(most, bytes);
      EXPECT_EQ(viewer->voice(gm).lost_for_good, 0u) << "seed " << seed;
    }
    EXPECT_LE(most / least, 1.5) << "seed " << seed;
    sum += most / least / kSeeds;
  }
  RecordProperty("mean_ratio_per_mille", static_cast<int>(sum * 1000));
  EXPECT_LE(sum, 1.35);
}

// The headers of a voice are a third of what it takes: an allocation that forgets them fills the
// path with pictures, and the voices wait in the queue.
TEST(SfuNetwork, SixVoicesOnANarrowPathAreNeverHeldUpByPictures) {
  for (const int64_t rate_bps : {450'000, 700'000}) {
    Stage stage(static_cast<uint64_t>(rate_bps), 40'000);
    std::vector<std::unique_ptr<Performer>> people;
    for (uint32_t i = 0; i < 6; ++i) {
      people.push_back(std::make_unique<Performer>(
          stage.world, stage.room, stage.pool,
          Performer::Config{{45'000, 90'000, 170'000}, 1, 25, 1000 + 1000 * i, true}));
    }
    Viewer viewer(stage.world, stage.room, link(stage.world, rate_bps));
    for (const auto& person : people) viewer.watch(*person);
    stage.world.run_until(10 * kSecond);
    viewer.reset_seen();
    stage.world.run_until(40 * kSecond);
    for (const auto& person : people) {
      EXPECT_EQ(viewer.voice(*person).lost_for_good, 0u) << rate_bps;
      EXPECT_LT(viewer.voice(*person).worst_delay_us, 250'000) << rate_bps;
    }
  }
}

TEST(SfuNetwork, ADropToAHalfMegabitMovesLayersWithinASecondAndSparesAudio) {
  for (const uint64_t seed : {8, 9, 10}) {
    Stage stage(seed);
    Performer gm(stage.world, stage.room, stage.pool,
                 {{150'000, 500'000, 1'800'000}, 1, 30, 1000, true});
    const auto down = link(stage.world, 3'000'000);
    Viewer viewer(stage.world, stage.room, down);
    viewer.watch(gm);
    stage.world.run_until(15 * kSecond);
    ASSERT_EQ(viewer.encoding(gm), 2) << seed;
    viewer.reset_seen();
    down->set_rate(500'000);
    MonoUs moved_at = 0;
    for (MonoUs t = 15 * kSecond; t <= 17 * kSecond && !moved_at; t += 10'000) {
      stage.world.run_until(t);
      if (viewer.encoding(gm) < 2) moved_at = t;
    }
    EXPECT_GT(moved_at, 0) << seed;
    EXPECT_LE(moved_at - 15 * kSecond, kSecond) << seed;
    stage.world.run_until(30 * kSecond);
    const Seen& voice = viewer.voice(gm);
    EXPECT_LE(voice.lost_for_good * 100, voice.packets) << seed;
    EXPECT_EQ(viewer.encoding(gm), 0) << seed;
    EXPECT_LT(viewer.estimate_bps(), 650'000) << seed;
  }
}

TEST(SfuNetwork, WhoHasPriorityKeepsItsPictureWhenThePathIsNarrow) {
  Stage stage(11);
  Performer gm(stage.world, stage.room, stage.pool, {{150'000, 500'000}, 1, 30, 1000, true});
  Performer player(stage.world, stage.room, stage.pool, {{150'000, 500'000}, 1, 30, 3000, true});
  Viewer viewer(stage.world, stage.room, link(stage.world, 1'100'000));
  viewer.watch(gm, 200);
  viewer.watch(player, 100);
  int gm_high = 0, player_high = 0, samples = 0;
  for (MonoUs t = 6 * kSecond; t <= 26 * kSecond; t += 100'000, ++samples) {
    stage.world.run_until(t);
    gm_high += viewer.encoding(gm) == 1;
    player_high += viewer.encoding(player) == 1;
  }
  EXPECT_GT(gm_high, samples * 8 / 10);
  EXPECT_LT(player_high, samples * 3 / 10);
  EXPECT_GT(viewer.voice(player).packets, 500u);
}

}  // namespace
}  // namespace footlight::sfu
