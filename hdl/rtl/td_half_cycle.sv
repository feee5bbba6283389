// RMS over half cycles and cycles, and the length of ten cycles. Squares are summed between the
// boundaries of td_zero_cross, the sample on the boundary split by the covered fraction; the sum
// is divided by the interpolated length, so the result does not depend on how many samples fall
// into the window.
//
// The divisions run in the background; everything is published together with the valid_i that
// comes PublishSamples after the boundary (pulse publish_o in the same clock as the new values), so
// what is seen at which sample does not depend on the number of clocks a sample.
//   u_half_o    RMS of the half cycle, 1/16 code           urms_o  of the last two half cycles
//   urms_valid_o  urms_o covers two half cycles without a gap; falls at the crossing ending a loss
//   period10_o  length of the last 20 half cycles, 1/65536 sample, 0 until there are 20 in a row
//   period_o    last full cycle between crossings, rounded to samples; keeps its value when a
//               cycle is outside MinPeriod..MaxPeriod
//   cross_*_o   boundary that ended the half cycle (see td_zero_cross)
// Limits: 64 clocks a sample and boundaries >= 24 samples apart (the background takes < 200 clocks).
module td_half_cycle #(
  parameter int SampleWidth    = 24,
  parameter int PublishSamples = 16,
  parameter int MinPeriod      = 114,  // 70 Hz at 8 kS/s
  parameter int MaxPeriod      = 188,  // 42.5 Hz at 8 kS/s
  parameter int FirstPeriod    = 160   // until a cycle was seen
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,
  input  logic                          valid_i,
  input  logic        [47:0]            index_i,     // number of the sample
  input  logic                          step_i,      // the square is good, and so are the four below
  input  logic                          boundary_i,
  input  logic                          crossing_i,
  input  logic                          restart_i,
  input  logic        [15:0]            fraction_i,
  input  logic        [2*SampleWidth-1:0] square_i,  // of the sample to be split, from the shared multiplier
  output logic                          busy_o,
  output logic                          publish_o,
  output logic        [31:0]            count_o,
  output logic        [27:0]            u_half_o,
  output logic        [27:0]            urms_o,
  output logic                          urms_valid_o,
  output logic        [31:0]            period10_o,
  output logic        [7:0]             period_o,
  output logic        [47:0]            cross_index_o,
  output logic        [15:0]            cross_fraction_o,
  // For blocks that measure over the same windows.
  output logic        [24:0]            half_length_o,    // of the last half cycle, 1/65536 sample
  output logic        [24:0]            former_length_o,  // of the one before
  output logic                          pair_o,           // the two are neighbours
  output logic                          publishing_o,     // publish_o comes with the next clock
  output logic                          whole_o           // with it: urms_o will be renewed
);
  localparam int SquareWidth = 2 * SampleWidth;  // 47 bits used
  localparam int SumWidth    = 55;               // two half cycles of at most 255 full-scale squares
  localparam int LengthWidth = 25;               // two half cycles, 1/65536 sample
  localparam int MeanWidth   = 55;               // mean square x 256
  localparam int RootWidth   = 28;

  // ---- f x square by shift and add (16 clocks) -------------------------------------
  logic        [SquareWidth-1:0]  square_q;
  logic                           squared_q, boundary_q, crossing_q, restart_q;
  logic        [15:0]             fraction_q, multiplier_q;
  logic        [SquareWidth+15:0] part_q;
  logic        [4:0]              left_q;
  logic        [SquareWidth-1:0]  part;
  logic                           add, split;

  assign add   = squared_q && !boundary_q;
  assign split = left_q == 5'd1;  // part_q is complete
  assign part  = SquareWidth'((part_q + (SquareWidth+16)'(32768)) >> 16);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      square_q     <= '0;
      squared_q    <= 1'b0;
      boundary_q   <= 1'b0;
      crossing_q   <= 1'b0;
      restart_q    <= 1'b0;
      fraction_q   <= '0;
      multiplier_q <= '0;
      part_q       <= '0;
      left_q       <= '0;
    end else begin
      squared_q <= step_i;
      if (step_i) begin
        square_q   <= square_i;
        boundary_q <= boundary_i;
        crossing_q <= crossing_i;
        restart_q  <= restart_i;
        fraction_q <= fraction_i;
      end
      if (squared_q && boundary_q) begin
        part_q       <= '0;
        multiplier_q <= fraction_q;
        left_q       <= 5'd17;
      end else if (left_q != '0) begin
        left_q <= left_q - 1'b1;
        if (!split) begin
          part_q       <= (part_q << 1) + (multiplier_q[15] ? (SquareWidth+16)'(square_q) : '0);
          multiplier_q <= multiplier_q << 1;
        end
      end
    end
  end

  assign busy_o = squared_q || left_q != '0;

  // ---- sums and lengths between boundaries --------------------------------------------------
  logic [SumWidth-1:0]    running_q, closing, closed_q, former_q;
  logic [31:0]            place, place_q;  // boundary, 1/65536 sample, wraps: only differences count
  logic [LengthWidth-1:0] length, closed_length_q, former_length_q;
  logic                   after_gap_q;  // the last boundary closed no half cycle
  logic                   pair_q;       // closed_q and former_q are neighbours
  logic                   real_q;       // the last boundary closed a half cycle between crossings
  logic                   cycle_q;      // closed_q and former_q both are such

  assign closing = running_q + SumWidth'(part);
  assign place   = {16'(index_i - 48'd1), fraction_q};
  assign length  = LengthWidth'(place - place_q);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      running_q       <= '0;
      closed_q        <= '0;
      former_q        <= '0;
      place_q         <= '0;
      closed_length_q <= '0;
      former_length_q <= '0;
      after_gap_q     <= 1'b1;
      pair_q          <= 1'b0;
      real_q          <= 1'b0;
      cycle_q         <= 1'b0;
    end else if (add) begin
      running_q <= running_q + SumWidth'(square_q);
    end else if (split) begin
      running_q       <= SumWidth'(square_q) - SumWidth'(part);
      place_q         <= place;
      after_gap_q     <= restart_q;
      real_q          <= crossing_q && !restart_q;
      if (!restart_q) begin
        closed_q        <= closing;
        closed_length_q <= length;
        former_q        <= closed_q;
        former_length_q <= closed_length_q;
        pair_q          <= !after_gap_q;
        cycle_q         <= crossing_q && real_q;
      end
    end
  end

  // ---- places of the last 32 crossings --------------------------------------------------------
  logic [31:0] ring_q [32];
  logic [4:0]  ring_next_q, oldest;
  logic [4:0]  in_row_q, in_row_next;  // half cycles in a row between crossings, up to 20
  logic [31:0] period10_q;

  assign oldest      = ring_next_q - 5'd20;
  assign in_row_next = !crossing_q || restart_q ? 5'd0 : (in_row_q == 5'd20 ? 5'd20 : in_row_q + 1'b1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      ring_next_q <= '0;
      in_row_q    <= '0;
      period10_q  <= '0;
    end else if (split) begin
      ring_next_q <= ring_next_q + 1'b1;
      in_row_q    <= in_row_next;
      period10_q  <= in_row_next == 5'd20 ? place - ring_q[oldest] : '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (split) ring_q[ring_next_q] <= place;
  end

  // ---- background: mean square and root, half cycle first, then the cycle ---------------------------
  typedef enum logic [1:0] {Rest, DivideHalf, DivideCycle} job_e;
  job_e                   job_q;
  logic                   begin_q, divide_done, root_done;
  logic [SumWidth-1:0]    sum;
  logic [SumWidth+23:0]   numerator;
  logic [LengthWidth-1:0] divisor;
  logic [MeanWidth-1:0]   mean;
  logic [RootWidth-1:0]   root, half_root_q, cycle_root_q;

  assign sum       = job_q == DivideCycle ? closed_q + former_q : closed_q;
  assign divisor   = job_q == DivideCycle ? closed_length_q + former_length_q : closed_length_q;
  assign numerator = {sum, 24'd0};

  td_divide #(
    .DivWidth (LengthWidth),
    .QuotWidth(MeanWidth)
  ) u_mean (
    .clk_i,
    .rst_ni,
    .start_i   (begin_q),
    .high_i    (LengthWidth'(numerator >> MeanWidth)),
    .low_i     (numerator[MeanWidth-1:0]),
    .divisor_i (divisor),
    .done_o    (divide_done),
    .quotient_o(mean)
  );

  td_sqrt #(
    .RootWidth(RootWidth)
  ) u_root (
    .clk_i,
    .rst_ni,
    .start_i   (divide_done),
    .radicand_i({1'b0, mean}),
    .done_o    (root_done),
    .root_o    (root)
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      job_q        <= Rest;
      begin_q      <= 1'b0;
      half_root_q  <= '0;
      cycle_root_q <= '0;
    end else begin
      begin_q <= 1'b0;
      if (split && !restart_q) begin
        job_q   <= DivideHalf;
        begin_q <= 1'b1;
      end else if (root_done && job_q == DivideHalf) begin
        half_root_q <= root;
        job_q       <= pair_q ? DivideCycle : Rest;
        begin_q     <= pair_q;
      end else if (root_done && job_q == DivideCycle) begin
        cycle_root_q <= root;
        job_q        <= Rest;
      end
    end
  end

  // ---- publication at a fixed sample ------------------------------------------------------------
  localparam int WaitWidth = $clog2(PublishSamples + 1);
  logic [WaitWidth-1:0]   wait_q;
  logic                   publish_q;
  logic [47:0]            end_index_q;
  logic [15:0]            end_fraction_q;
  logic [LengthWidth-1:0] cycle_length;
  logic [8:0]             cycle_samples;

  assign cycle_length  = closed_length_q + former_length_q + LengthWidth'(32768);
  assign cycle_samples = cycle_length[LengthWidth-1:16];
  assign publish_o     = publish_q;
  assign publishing_o  = valid_i && wait_q == WaitWidth'(1) && !(split && !restart_q);
  assign whole_o       = pair_q && !after_gap_q;

  assign half_length_o   = closed_length_q;
  assign former_length_o = former_length_q;
  assign pair_o          = pair_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      wait_q           <= '0;
      publish_q        <= 1'b0;
      end_index_q      <= '0;
      end_fraction_q   <= '0;
      count_o          <= '0;
      u_half_o         <= '0;
      urms_o           <= '0;
      urms_valid_o     <= 1'b0;
      period10_o       <= '0;
      period_o         <= 8'(FirstPeriod);
      cross_index_o    <= '0;
      cross_fraction_o <= '0;
    end else begin
      publish_q <= 1'b0;
      if (split && restart_q) urms_valid_o <= 1'b0;
      if (split && !restart_q) begin
        wait_q         <= WaitWidth'(PublishSamples);
        end_index_q    <= index_i - 48'd1;
        end_fraction_q <= fraction_q;
      end else if (valid_i && wait_q != '0) begin
        wait_q <= wait_q - 1'b1;
        if (wait_q == WaitWidth'(1)) begin
          publish_q        <= 1'b1;
          count_o          <= count_o + 1'b1;
          u_half_o         <= half_root_q;
          period10_o       <= period10_q;
          cross_index_o    <= end_index_q;
          cross_fraction_o <= end_fraction_q;
          if (pair_q && !after_gap_q) begin
            urms_o       <= cycle_root_q;
            urms_valid_o <= 1'b1;
          end
          if (cycle_q && !after_gap_q && cycle_samples >= 9'(MinPeriod) && cycle_samples <= 9'(MaxPeriod)) begin
            period_o <= 8'(cycle_samples);
          end
        end
      end
    end
  end
endmodule
