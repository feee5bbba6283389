// Fundamental RMS, powers and energies of two elements over the windows of td_resample: 1280 points in ten
// cycles, so the sums of a point's value times cosine and sine hold nothing of DC and the harmonics.
//   X = sum(x cos), sum(x sin)   RMS, 1/256 code                rms = |X|
//   P = Uc Ic + Us Is            Q = Uc Is - Us Ic, positive when the current lags
//   energy += |P| x length of the window, on the side of its sign, when the length was measured
//
// The results of a window lie in a memory of four banks of 32 words and are shown PublishSamples valid_i after
// the sample that made the last point; snapshot_i fixes what data_o reads, until the next one. Words:
//   0..3   RMS of u1, i1, u2, i2, 1/256 code     4 windows since reset     5 length of the window, 1/65536 sample
//   6      bit 0: the length was measured (else energies stand still)
//   8..15  P and Q of element 1, then of 2, low word first: squared codes, signed
//   16..31 energies: forward, reverse, lagging, leading of element 1, then of 2, low word first:
//          65536 squared codes x sample
// All read 0 until a snapshot after the first publication. Latency of a read: 1 clock from req_i to ack_o.
// Limits: 64 clocks a sample, point_i >= 14 clocks apart, the values hold for 8 clocks more (the background
// takes < 760 clocks).
module td_fundamental #(
  parameter int PublishSamples = 16
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               valid_i,     // a new sample
  input  logic               point_i,     // from td_resample, as all below
  input  logic        [10:0] place_i,
  input  logic signed [24:0] u1_i,        // half codes
  input  logic signed [24:0] i1_i,
  input  logic signed [24:0] u2_i,
  input  logic signed [24:0] i2_i,
  input  logic        [26:0] period10_i,  // 1/65536 sample
  input  logic               locked_i,
  output logic               publish_o,   // for one clock, with valid_i: new values are shown from here on
  input  logic               snapshot_i,
  input  logic               req_i,
  input  logic        [4:0]  addr_i,
  output logic               ack_o,
  output logic        [31:0] data_o
);
  localparam int SumWidth = 52;  // 1280 points of 25 bits times 17 bits
  localparam logic signed [SumWidth-1:0] RoundUp = SumWidth'(1) <<< 18;  // half of the part's last bit
  localparam logic [10:0] LastPlace = 11'd1279;

  // ---- sums: eight products a point, one a clock, by one multiplier -----------------------------------
  logic run_q;
  logic [2:0] slot_q, slot1_q, slot2_q, slot3_q, slot4_q;
  logic signed [24:0] value, value1_q, value2_q;
  logic signed [17:0] sine, sine2_q;
  logic signed [42:0] point_product;
  logic        [4:1]  on_q;
  logic first_q, last_q;
  logic signed [SumWidth-1:0] sum_q[8];  // u1 cos, u1 sin, i1 cos, ...
  logic signed [SumWidth-1:0] before_q, sum_next, closing_q;
  logic signed [31:0] x_q[8];  // of the closed window
  logic close_q, closed_q;
  logic        [2:0]          close_slot_q;
  logic        [26:0]         period_q;
  logic                       locked_q;

  always_comb begin
    unique case (slot_q[2:1])
      2'd0:    value = u1_i;
      2'd1:    value = i1_i;
      2'd2:    value = u2_i;
      default: value = i2_i;
    endcase
  end

  td_sine_rom u_sine (
    .clk_i,
    .place_i(place_i[6:0] + (slot_q[0] ? 7'd0 : 7'd32)),
    .sine_o (sine)
  );

  td_point_product u_product (
    .clk_i,
    .run_i    (run_q || on_q != '0),
    .point_i  (value2_q),
    .sine_i   (sine2_q),
    .product_o(point_product)
  );

  assign sum_next = before_q + SumWidth'(point_product);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      run_q    <= 1'b0;
      slot_q   <= '0;
      on_q     <= '0;
      first_q  <= 1'b0;
      last_q   <= 1'b0;
      close_q  <= 1'b0;
      closed_q <= 1'b0;
      period_q <= '0;
      locked_q <= 1'b0;
    end else begin
      run_q    <= point_i || (run_q && slot_q != 3'd7);
      slot_q   <= run_q ? slot_q + 3'd1 : 3'd0;
      on_q     <= {on_q[3:1], run_q};
      close_q  <= on_q[4] && last_q;
      closed_q <= close_q && close_slot_q == 3'd7;
      if (point_i) begin
        first_q <= place_i == '0;
        last_q  <= place_i == LastPlace;
        if (place_i == LastPlace) begin
          period_q <= period10_i;
          locked_q <= locked_i;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin  // stands still between points
    if (run_q || on_q != '0) begin
      value1_q     <= value;
      value2_q     <= value1_q;
      sine2_q      <= sine;
      slot1_q      <= slot_q;
      slot2_q      <= slot1_q;
      slot3_q      <= slot2_q;
      slot4_q      <= slot3_q;
      if (first_q) before_q <= RoundUp;
      else before_q <= sum_q[slot3_q];
      closing_q    <= sum_next;
      close_slot_q <= slot4_q;
      if (on_q[4]) sum_q[slot4_q] <= sum_next;
    end
    if (close_q) x_q[close_slot_q] <= 32'(closing_q >>> 19);
  end

  // ---- background: RMS of four channels, then P, Q and their energies of two elements ---------------------
  typedef enum logic [3:0] {
    Clear,
    Rest,
    First,
    Second,
    Root,
    Low,
    High,
    Energy,
    Fetch,
    OneLow,
    OneHigh,
    OtherLow,
    OtherHigh,
    Windows,
    Length,
    Flags
  } job_e;
  job_e               job_q;
  logic               begin_q;
  logic        [2:0]  item_q;  // 0..3 the channels; P and Q of element 1, of 2
  logic               multiplied;
  logic [2:0] left, right;
  logic signed [31:0] x, right_q;
  logic signed [47:0] a;
  logic signed [31:0] b;
  logic signed [47:0] product_high;
  logic        [31:0] product_low;
  logic signed [63:0] product;
  logic signed [63:0] total_q;
  (* ram_style = "block" *)
  logic        [31:0] energy_q [32];  // low and high words; then the windows since reset
  logic [31:0] energy_read_q, energy_word_q, gain;
  logic [32:0] energy_next;
  logic [4:0] clear_q, energy_place, read_place_q, energy_place_q;
  logic powers, minus, one, other, mine, high, carry, carry_q;

  assign powers = item_q[2];
  // Channels: c c + s s. P: Uc Ic + Us Is. Q: Uc Is - Us Ic. The right one is read first, and kept.
  assign left  = powers ? {item_q[1], 1'b0, job_q == Second} : {item_q[1:0], job_q == Second};
  assign right = powers ? {item_q[1], 1'b1, (job_q == Second) ^ item_q[0]} : left;
  assign x     = x_q[begin_q ? right : left];
  assign a     = job_q == Energy ? total_q[63:16] : 48'(x);
  assign b     = job_q == Energy ? 32'(period_q) : right_q;
  assign minus = job_q == Second && powers && item_q[0];

  always_ff @(posedge clk_i) begin
    if (begin_q) right_q <= x;
  end

  td_multiply_signed #(
    .AWidth(48),
    .BWidth(32)
  ) u_multiply (
    .clk_i,
    .rst_ni,
    .start_i(begin_q),
    .a_i    (a),
    .b_i    (b),
    .minus_i(minus),
    .done_o (multiplied),
    .high_o (product_high),
    .low_o  (product_low)
  );

  assign product = {product_high[31:0], product_low};  // of two parts of a phasor

  // The root of a channel's total is drawn while the next two products are made: it takes a pair of bits every
  // second clock, from a register that shifts a bit a clock and is 0 when the total comes.
  logic [63:0] radicand_q, load_q;
  logic [6:0]  left_q;
  logic [1:0]  channel_q;
  logic [31:0] root;
  logic        rooted;

  assign rooted = left_q == 7'd1;

  td_sqrt #(
    .RootWidth(32)
  ) u_root (
    .clk_i,
    .rst_ni,
    .clear_i(job_q == Root),
    .step_i (!left_q[0] && left_q != '0),
    .pair_i (radicand_q[63:62]),
    .root_o (root)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q     <= '0;
      channel_q  <= '0;
      load_q     <= '0;
      radicand_q <= '0;
    end else begin
      if (job_q == Root) begin
        left_q    <= 7'd65;
        channel_q <= item_q[1:0];
        load_q    <= total_q;
      end else begin
        if (left_q != '0) left_q <= left_q - 1'b1;
        load_q <= '0;
      end
      radicand_q <= (radicand_q << 1) | load_q;
    end
  end

  // Energies of item 4..7 lie at 2 (item - 4), the side of the other sign behind it; both count up, word by
  // word: a negative energy is taken off, as its complement with a carry into the low word. A word is asked
  // for two clocks before it is added to, so that the memory's latency is not in the sum's path.
  assign one         = job_q == OneLow || job_q == OneHigh;
  assign other       = job_q == OtherLow || job_q == OtherHigh;
  assign high        = job_q == OneHigh || job_q == OtherHigh;
  assign mine        = locked_q && (total_q[63] ? other : one);  // this side gets the energy
  assign gain        = (high ? 32'($signed(product_high[47:32])) : product_high[31:0]) ^ {32{total_q[63]}};
  assign carry       = job_q == Windows || (mine && (high ? carry_q : total_q[63]));
  assign energy_next = 33'(({1'b0, energy_word_q, 1'b1} + {1'b0, mine ? gain : 32'd0, carry}) >> 1);

  always_comb begin
    unique case (job_q)
      Clear:     energy_place = clear_q;
      Fetch:     energy_place = {1'b0, item_q[1:0], 2'b01};
      OneLow:    energy_place = {1'b0, item_q[1:0], 2'b10};
      OneHigh:   energy_place = {1'b0, item_q[1:0], 2'b11};
      OtherLow:  energy_place = 5'd16;
      default:   energy_place = {1'b0, item_q[1:0], 2'b00};
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      job_q     <= Clear;
      clear_q   <= '0;
      carry_q   <= 1'b0;
      begin_q   <= 1'b0;
      item_q    <= '0;
      total_q   <= '0;
    end else begin
      begin_q <= 1'b0;
      if (begin_q && job_q == First) total_q <= '0;
      else if (multiplied && (job_q == First || job_q == Second)) begin
        total_q <= total_q + product;
      end
      carry_q <= energy_next[32];
      unique case (job_q)
        Clear: begin  // the memory of the energies, which has no reset
          clear_q <= clear_q + 5'd1;
          if (clear_q == '1) job_q <= Rest;
        end
        Rest:
        if (closed_q) begin
          job_q     <= First;
          begin_q   <= 1'b1;
          item_q    <= '0;
        end
        First:
        if (multiplied) begin
          job_q   <= Second;
          begin_q <= 1'b1;
        end
        Second:
        if (multiplied) begin
          job_q <= powers ? Low : Root;
        end
        Root: begin
          job_q   <= First;
          begin_q <= 1'b1;
          item_q  <= item_q + 3'd1;
        end
        Low: job_q <= High;
        High: begin
          job_q   <= Energy;
          begin_q <= 1'b1;
        end
        Energy:   if (multiplied) job_q <= Fetch;
        Fetch:    job_q <= OneLow;
        OneLow:   job_q <= OneHigh;
        OneHigh:  job_q <= OtherLow;
        OtherLow: job_q <= OtherHigh;
        OtherHigh: begin
          item_q  <= item_q + 3'd1;
          job_q   <= item_q == 3'd7 ? Windows : First;
          begin_q <= item_q != 3'd7;
        end
        Windows: job_q <= Length;
        Length:  job_q <= Flags;
        default: job_q <= Rest;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    read_place_q   <= energy_place;
    energy_place_q <= read_place_q;
    energy_read_q  <= energy_q[energy_place];
    if (job_q == Clear) energy_word_q <= '0;
    else energy_word_q <= energy_read_q;
    if (job_q == Clear || one || other || job_q == Windows) energy_q[energy_place_q] <= energy_next[31:0];
  end

  // ---- results: written into a bank that nobody looks at, shown at a fixed sample ------------------------
  localparam int WaitWidth = $clog2(PublishSamples + 1);
  logic [WaitWidth-1:0] wait_q;
  logic [31:0]          bank_q [128];
  logic [31:0] word, word_q, energy_word2_q, read_q;
  logic [4:0] word_place, word_place_q;
  logic words, energies, write_q, ack_q;
  logic read_any_q, shown_any_q;  // the bank was written since reset
  logic [1:0] filled_q, shown_q, reading_q;  // banks

  // A word is chosen, then written; energies have a register of their own, and each is 0 when the other counts.
  assign energies = one || other || job_q == Windows;
  assign words    = rooted || job_q == Low || job_q == High || job_q == Length;

  always_comb begin
    unique case (job_q)
      Low:     word = total_q[47:16];
      High:    word = 32'($signed(total_q[63:48]));
      Length:  word = 32'(period_q);
      default: word = root;
    endcase
    unique case (job_q)
      Low:     word_place = {2'd1, item_q[1:0], 1'b0};
      High:    word_place = {2'd1, item_q[1:0], 1'b1};
      OneLow, OneHigh, OtherLow, OtherHigh: word_place = {1'b1, energy_place_q[3:0]};
      Windows: word_place = 5'd4;
      Length:  word_place = 5'd5;
      Flags:   word_place = 5'd6;
      default: word_place = {3'd0, channel_q};
    endcase
  end

  always_ff @(posedge clk_i) begin
    write_q      <= words || energies || job_q == Flags;
    word_place_q <= word_place;
    if (job_q == Flags) word_q <= 32'(locked_q);
    else if (words) word_q <= word;
    else word_q <= '0;
    if (energies) energy_word2_q <= energy_next[31:0];
    else energy_word2_q <= '0;
  end

  assign publish_o = valid_i && wait_q == WaitWidth'(1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wait_q      <= '0;
      filled_q    <= '0;
      shown_q     <= '0;
      reading_q   <= '0;
      shown_any_q <= 1'b0;
      read_any_q  <= 1'b0;
      ack_q       <= 1'b0;
    end else begin
      if (point_i && place_i == LastPlace) wait_q <= WaitWidth'(PublishSamples);
      else if (valid_i && wait_q != '0) wait_q <= wait_q - 1'b1;
      if (publish_o) begin
        shown_q     <= filled_q;
        shown_any_q <= 1'b1;
      end
      if (closed_q) begin  // three banks suffice: one shown, one being read, one being written
        if (shown_q != 2'd0 && reading_q != 2'd0) filled_q <= 2'd0;
        else if (shown_q != 2'd1 && reading_q != 2'd1) filled_q <= 2'd1;
        else filled_q <= 2'd2;
      end
      if (snapshot_i) begin
        reading_q  <= shown_q;
        read_any_q <= shown_any_q;
      end
      ack_q <= req_i;
    end
  end

  always_ff @(posedge clk_i) begin
    if (write_q) bank_q[{filled_q, word_place_q}] <= word_q | energy_word2_q;
    if (req_i) begin
      if (!read_any_q || addr_i == 5'd7) read_q <= '0;
      else read_q <= bank_q[{reading_q, addr_i}];
    end
  end

  assign ack_o  = ack_q;
  assign data_o = read_q;
endmodule
