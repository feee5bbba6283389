// What the next events of a tile need is brought near before their turn. With many nodes nearly everything has left the
// cache since it was last used, and one event waits a dozen times for memory; but which events come next is known. So they
// are listed ahead, and each of them takes four steps on its way to its turn, a few events apart, since a step reads what
// the step before has fetched: records, what those point to, cells, signals. No step changes anything.
#pragma once
#include "tile.h"

namespace teiden {

// Take the steps that are due before an event at a tick is handled.
TEIDEN_FN void Tile::fetch_ahead(int64_t tick) {
  if (!large_) return;
  while (past_coming_ < end_coming_ && coming(past_coming_).event.tick < tick) ++past_coming_;
  if (past_coming_ < end_coming_ && coming(past_coming_).event.tick == tick) ++past_coming_;
  const auto list = [this](const Event& event) {
    if (end_coming_ - past_coming_ == kComing) return false;
    Coming& next = coming(end_coming_++);
    next.event = event;
    next.count = 0;
    fetch_records(event);
    return true;
  };
  while (end_coming_ - past_coming_ <= kComing / 2 && wheel_.look_ahead(list)) {  // a slot may have many
  }
  constexpr int32_t kDistance[kComingSteps] = {20, 12, 5};
  for (int step = 0; step < kComingSteps; ++step) {
    int64_t& next = next_coming_[step];
    const int64_t end = smaller(end_coming_, past_coming_ + kDistance[step]);
    for (next = larger(next, past_coming_); next < end; ++next) {
      if (step == 0) fetch_further(coming(next).event);
      else if (step == 1) fetch_cells(coming(next));
      else fetch_signals(coming(next));
    }
  }
}

TEIDEN_FN void Tile::fetch_records(const Event& event) const {
  prefetch_all(&at(event.node));
  if (event.type == kReceiveEnd) prefetch_all(&receptions_[event.arg]);
  if (event.type != kInject) return;
  prefetch_all(&frame(event.arg));
  prefetch(&world_->parent[event.node]);
  if (world_->air_accounts) prefetch(&world_->air_accounts[event.node]);
}

TEIDEN_FN void Tile::fetch_further(const Event& event) const {
  const Node& n = at(event.node);
  if (n.queue >= 0) prefetch(&copies_[n.queue]);
  if (event.type == kInject) taken_.fetch(TakenSet::key(event.arg, event.node - first_, n.life));
  if (looks(event)) cells_->fetch(at(event.node).spot.cell);
  if (event.type != kReceiveEnd) return;
  const Reception& what = receptions_[event.arg];
  prefetch(&at(what.src).spot);
  if (what.is_ack || is_control(what.frame)) return;
  prefetch_all(&frame(what.frame));
  taken_.fetch(TakenSet::key(what.frame, event.node - first_, n.life));
}

// Return whether an event makes its node look at the channel.
TEIDEN_FN bool Tile::looks(const Event& event) const {
  const Node& n = at(event.node);
  if (event.type == kReceiveEnd) return n.alive;
  return event.type == kTimer && n.state == kCsma && n.timer_at == event.tick;
}

TEIDEN_FN void Tile::fetch_cells(Coming& coming) const {
  const Event& event = coming.event;
  if (!looks(event)) return;
  const bool receives = event.type == kReceiveEnd;
  const int32_t queue = at(event.node).queue;
  if (!receives && queue >= 0 && !is_control(copies_[queue].frame)) prefetch_all(&frame(copies_[queue].frame));
  if (!receives && config().channels > 1) return;  // to work out the channels costs as much as the steps save
  const int32_t cell = at(event.node).spot.cell, channel = receives ? receptions_[event.arg].channel : 0;
  coming.slots[0] = static_cast<int32_t>(cells_->slot(cell, channel));  // where it may put a signal
  const Since since = receives && !receptions_[event.arg].is_ack ? kLate : kLive;  // as far as most looks go
  coming.after = event.tick - world_->longest - (since == kLate ? world_->longest : world_->live);
  coming.count = 1 + cells_->list_around(cell, channel, since, coming.slots + 1, kComingSlots - 1);
}

TEIDEN_FN void Tile::fetch_signals(const Coming& coming) const {
  if (coming.count > 0) cells_->fetch_signals(coming.slots[0]);
  for (int32_t i = 1; i < coming.count; ++i) cells_->fetch_signals(coming.slots[i], coming.after);
}

}  // namespace teiden
