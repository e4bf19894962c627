// The parts that decide: shares of the path, the active speaker, sequence numbers.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "sfu/allocation.h"
#include "sfu/sequence_map.h"
#include "sfu/speakers.h"

namespace footlight::sfu {
namespace {

Demand demand(uint8_t priority, std::vector<int64_t> rates, bool audio = false) {
  Demand demand;
  demand.priority = priority;
  demand.audio = audio;
  for (size_t i = 0; i < rates.size(); ++i) {
    demand.offer({static_cast<uint8_t>(i), 0, 0}, rates[i]);
  }
  return demand;
}

TEST(Allocation, AudioIsServedEvenBeyondTheBudget) {
  std::array demands{demand(1, {100'000, 500'000}), demand(0, {40'000}, true)};
  allocate(demands, 20'000);
  EXPECT_EQ(demands[1].chosen, 0);
  EXPECT_EQ(demands[0].chosen, Demand::kPaused);
}

TEST(Allocation, EveryoneGetsALowLayerBeforeAnyoneGetsAHighOne) {
  std::array demands{demand(200, {100, 500}), demand(100, {100, 500}), demand(50, {100, 500})};
  allocate(demands, 350);
  EXPECT_EQ(demands[0].chosen, 0);
  EXPECT_EQ(demands[1].chosen, 0);
  EXPECT_EQ(demands[2].chosen, 0);
  allocate(demands, 750);
  EXPECT_EQ(demands[0].chosen, 1);  // what is left goes to the first
  EXPECT_EQ(demands[1].chosen, 0);
  allocate(demands, 150);
  EXPECT_EQ(demands[0].chosen, 0);
  EXPECT_EQ(demands[1].chosen, Demand::kPaused);
}

TEST(Allocation, EqualsAreRaisedInTurns) {
  std::array demands{demand(100, {100, 200, 300}), demand(100, {100, 200, 300})};
  allocate(demands, 400);
  EXPECT_EQ(demands[0].chosen, 1);
  EXPECT_EQ(demands[1].chosen, 1);
}

void speak(Speakers& speakers, uint32_t voice, uint8_t minus_dbov, MonoUs from, MonoUs to) {
  for (MonoUs t = from; t < to; t += 20'000) {
    speakers.on_level(voice, {true, minus_dbov}, t);
    speakers.update(t);
  }
}

TEST(Speakers, WhoSpeaksTakesTheFloorAndACoughDoesNot) {
  Speakers speakers;
  for (const uint32_t voice : {1, 2, 3}) speakers.add(voice);
  EXPECT_FALSE(speakers.active());
  speak(speakers, 2, 30, 0, 2'000'000);
  EXPECT_EQ(speakers.active(), 2u);
  for (MonoUs t = 2'000'000; t < 4'000'000; t += 20'000) {
    speakers.on_level(2, {true, 30}, t);
    speakers.on_level(3, {false, static_cast<uint8_t>(t < 2'080'000 ? 5 : 127)}, t);  // a cough
    speakers.update(t);
    EXPECT_EQ(speakers.active(), 2u) << t;
  }
  for (MonoUs t = 4'000'000; t < 6'000'000; t += 20'000) {
    speakers.on_level(2, {false, 90}, t);
    speakers.on_level(1, {true, 30}, t);
    speakers.update(t);
  }
  EXPECT_EQ(speakers.active(), 1u);
  EXPECT_EQ(speakers.rank(1), 0u);
  EXPECT_EQ(speakers.rank(2), 1u);
  EXPECT_EQ(speakers.rank(3), 2u);
  speakers.remove(1);
  EXPECT_FALSE(speakers.active());
}

TEST(SequenceMap, DropsCloseTheGapAndLatePacketsGetTheirPlace) {
  SequenceMap map;
  EXPECT_FALSE(map.map(5));
  map.start(100, 1);
  EXPECT_EQ(map.map(100), 1);
  EXPECT_FALSE(map.map(99));  // before the start
  map.drop(101);
  map.drop(102);
  EXPECT_EQ(map.map(103), 2);
  EXPECT_EQ(map.map(105), 4);  // 104 is late
  map.drop(106);
  EXPECT_EQ(map.map(107), 5);
  EXPECT_EQ(map.map(104), 3);
  map.start(7, 6);
  EXPECT_EQ(map.map(7), 6);
  EXPECT_FALSE(map.map(5));
}

}  // namespace
}  // namespace footlight::sfu
