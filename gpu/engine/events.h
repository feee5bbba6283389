// A tile's events: in which order they happen, what each of them starts, what goes on air.
#pragma once
#include "fetch_ahead.h"
#include "tile.h"
#if !defined(TEIDEN_DEVICE)
#include "queue.h"
#endif

namespace teiden {

// Return what orders events of the same tick, node and type.
TEIDEN_FN uint64_t Tile::sequence(const Event& event) const {
  if (event.type == kReceiveEnd) {
    const Reception& what = receptions_[event.arg];
    return static_cast<uint64_t>(at(what.src).id) << 8 | what.rank;
  }
  if (event.type == kInject || event.type == kOfferAgain) return world_->content_key(frame(event.arg));
  return 0;
}

// Do what an event asks for; false if it is void by now.
TEIDEN_FN bool Tile::handle(const Event& event) {
  Node& n = at(event.node);
  switch (event.type) {
    case kSupply:
      return change_supply(event.node, event.tick);
    case kDeath:
      if (account(event.node).death_at != event.tick) return false;
      die(event.node, event.tick);
      return true;
    case kReceiveEnd: {
      const Reception what = receptions_[event.arg];
      receptions_[event.arg].start = -1;
      receptions_.give(static_cast<int32_t>(event.arg));
      if (what.cut && !what.to_all) return false;
      receive_end(what, event.tick);
      return true;
    }
    case kTimer:
      if (n.timer_at != event.tick) return false;
      n.timer_at = -1;
      timer_fired(event.node, event.tick);
      return true;
    case kNetwork:
      if (network(event.node).timer_at != event.tick) return false;
      network(event.node).timer_at = -1;
      network_timer(event.node, event.tick);
      return true;
    case kOfferAgain:
      return offer_again(event.node, event.arg, event.tick);
    default:
      take_injected(event.arg, event.tick);
      return true;
  }
}

// Do all events before a tick. On a device, stop between two of them if the heap runs low; return whether all are done.
TEIDEN_FN bool Tile::run_until(int64_t tick) {
  const auto ties = [this](const Event& e) { return sequence(e); };
  Event event;
#if defined(TEIDEN_DEVICE)
  while (!kernel_heap->is_low()) {
    if (!wheel_.pop_before(tick, &event, ties)) return true;
    counters.events += handle(event);
  }
  return false;
#else
  if (fast())
    while (wheel_.pop_before(tick, &event, ties)) {
      fetch_ahead(event.tick);
      counters.events += handle(event);
    }
  else
    while (events_->pop_before(tick, &event, ties)) counters.events += handle(event);
  return true;
#endif
}

template <class Before, class After>
TEIDEN_FN void Tile::run_ahead(int64_t tick, Before before, After after) {
  const auto ties = [this](const Event& e) { return sequence(e); };
  for (Event event; wheel_.pop_before(tick, &event, ties);) {
    fetch_ahead(event.tick);
    before(event);
    looks_from_ = event.tick;
    counters.events += handle(event);
    after();
  }
}

TEIDEN_FN void Tile::schedule(const Event& event) {
  const auto ties = [this](const Event& e) { return sequence(e); };
#if !defined(TEIDEN_DEVICE)
  if (!fast()) {
    events_->push(event, ties);
    return;
  }
#endif
  wheel_.push(event, ties);
  if (watch_ != nullptr && event.tick < watch_->until && watch_->nodes->has(event.node)) watch_->events.push(event);
}

TEIDEN_FN int64_t Tile::next_tick() {
#if !defined(TEIDEN_DEVICE)
  if (!fast()) return events_->next_tick([this](const Event& e) { return sequence(e); });
#endif
  return wheel_.next_tick();
}

TEIDEN_FN void Tile::put_on_air(int32_t node, int64_t start, int64_t end, int32_t channel) {
  const Spot& from = at(node).spot;
  const Signal signal{start, end, from.x_mm, from.y_mm, from.extra_lu, at(node).id, channel, 0};
  if (cells_->laid()) restore(signal, from.cell);
  else air_->add(signal);
}

// Put a signal into its cell.
TEIDEN_FN void Tile::restore(const Signal& s, int32_t cell) {
  const int64_t slot = cells_->slot(cell, s.channel);
  cells_->add(slot, {s.start, static_cast<int32_t>(s.end - s.start), s.id, s.x_mm, s.y_mm, s.extra_lu, 0}, &free_blocks_);
  ages_.push({s.start, slot});
}

TEIDEN_FN void Tile::begin_window(int64_t start) {
  looks_from_ = start;
  if (fast()) grow_old(start);
}

// Let what is too old not count any more: no CCA from a tick on, nor the reception of an ACK, sees what ended before;
// hardly any look asks for what ended three whole frames before it. Nobody looks any more at an earlier tick.
TEIDEN_FN void Tile::grow_old(int64_t tick) {
  const int64_t longest = world_->longest;
  age(kLive, tick - world_->live - longest);
  age(kLate, tick - 2 * longest);
  age(kRecent, tick - 4 * longest);
  const int64_t gone = first_age_[kRecent];
  if (gone * 2 <= ages_.size()) return;
  for (int64_t i = gone; i < ages_.size(); ++i) ages_[i - gone] = ages_[i];
  ages_.cut(ages_.size() - gone);
  for (int64_t& first : first_age_) first -= gone;
}

// Uncount what starts before a tick.
TEIDEN_FN void Tile::age(Since since, int64_t before) {
  int64_t& first = first_age_[since];
  for (; first < ages_.size() && ages_[first].start < before; ++first) {
    if (large_ && first + kComing < ages_.size()) cells_->fetch_slot(ages_[first + kComing].slot);
    cells_->age(since, ages_[first].slot);
  }
}

// Free the records that start before a tick.
TEIDEN_FN void Tile::sweep(int64_t before) {
  each_own_slot([&](int64_t slot) { cells_->drop_before(slot, before, &free_blocks_); });
}

// Visit the slots of this tile's nodes that have signals.
template <class Visit>
TEIDEN_FN void Tile::each_own_slot(Visit visit) {
  if (first_ == last_) return;
  const int32_t first = at(first_).spot.cell, last = at(last_ - 1).spot.cell;
  for (int32_t channel = 0; channel < larger<int64_t>(config().channels, 1); ++channel)
    for (int32_t field = first >> 6; field <= last >> 6; ++field) {
      if (large_ && field < last >> 6) cells_->fetch_field(cells_->slot((field + 1) << 6, channel) >> 6);
      for (uint64_t word = cells_->used(cells_->slot(field << 6, channel) >> 6); word; word &= word - 1) {
        const int32_t cell = field << 6 | trailing_zeros(word);
        if (cell >= first && cell <= last) visit(cells_->slot(cell, channel));
      }
    }
}

// Let a receiver know at the end of a transmission to it.
TEIDEN_FN void Tile::post(const Reception& what) {
  if (!owns(what.dst)) {
    outbox.push(what);
    return;
  }
  const int32_t place = receptions_.take();
  receptions_[place] = what;
  schedule({what.end, place, what.dst, kReceiveEnd});
}

// Hash of a frame's content as injected: no places, no order of calls.
TEIDEN_FN uint64_t World::content_key(const Frame& f) const {
  const Kind& kind = kinds[f.kind];
  uint64_t key = splitmix64(static_cast<uint64_t>(f.injected));
  const int64_t dst = f.dst < 0 ? f.dst : nodes[f.dst].id;
  const int64_t words[] = {nodes[f.src].id, dst, kind.psdu_bytes, kind.priority, kind.max_offers,
                           kind.reoffer_min, kind.reoffer_max};
  for (const int64_t word : words) key = splitmix64(key ^ static_cast<uint64_t>(word));
  return key;
}

}  // namespace teiden
