// Harmonics 1 to 40 of one channel over a window of td_resample, on demand: start_i takes channel_i and begins
// with the first window whose first point follows the next valid_i; it also drops what ran or stood there.
// The ten cycles are added up point by point, 128 sums in all, while they come; then each order is one sum of
// 128 products with cosine and sine in the background, and so is the fundamental of u1 as reference of angles.
//   done_o rises PublishSamples valid_i after the sample that made the window's last point; finish_o is high for
//   one clock then. Until then, and after reset, all words read 0. Words, signed:
//   2 (h - 1)       cosine part of order h, RMS, 1/256 code      2 (h - 1) + 1   sine part
//   80, 81          the same of the fundamental of u1
//   82              length of the window, 1/65536 sample
//   83              bit 0: the length was measured; bits 2:1: the channel
// Latency of a read: 1 clock from req_i to ack_o.
// Limits: 64 clocks a sample (the background takes < 10,600 clocks), point_i >= 14 clocks apart, u1_i holds for a
// clock more.
module td_harmonics #(
  parameter int PublishSamples = 200
) (
  input  logic               clk_i,
  input  logic               rst_ni,
  input  logic               valid_i,     // a new sample
  input  logic               start_i,
  input  logic        [1:0]  channel_i,   // u1, i1, u2, i2
  input  logic               point_i,     // from td_resample, as all below
  input  logic        [10:0] place_i,
  input  logic signed [24:0] u1_i,        // half codes
  input  logic signed [24:0] i1_i,
  input  logic signed [24:0] u2_i,
  input  logic signed [24:0] i2_i,
  input  logic        [26:0] period10_i,  // 1/65536 sample
  input  logic               locked_i,
  output logic               busy_o,      // started and not done
  output logic               done_o,
  output logic               finish_o,
  input  logic               req_i,
  input  logic        [6:0]  addr_i,
  output logic               ack_o,
  output logic        [31:0] data_o
);
  localparam int FoldWidth = 29;  // ten points of 25 bits
  localparam int SumWidth = 50;  // 128 products of 25 by 18 bits
  localparam logic signed [SumWidth-1:0] RoundUp = SumWidth'(1) <<< 14;  // half of a word's last bit
  localparam logic [10:0] LastPlace = 11'd1279;
  localparam logic [5:0] Orders = 6'd40;

  typedef enum logic [2:0] {
    Idle,
    Asked,
    Armed,
    Fold,
    Transform,
    Note,
    Finish
  } phase_e;
  phase_e      phase_q;
  logic [1:0]  channel_q;
  logic folding, last_fold_q;
  logic [26:0] period_q;
  logic        locked_q;

  // ---- folding: the chosen channel in the lower half, u1 in the upper -----------------------------------
  logic signed [FoldWidth-1:0] fold_q [256];
  logic signed [FoldWidth-1:0] fold_read_q, fold_word_q, folded;
  logic signed [24:0] chosen, adding_q, adding2_q;
  logic [7:0] read_place, read_place_q, write_place_q;
  logic        [3:1]           fold_on_q;
  logic                        fresh_q;  // first cycle: nothing to add to
  logic        [5:0]           order_q;
  logic                        sine_q;
  logic        [6:0]           m_q;

  always_comb begin
    unique case (point_i ? channel_q : 2'd0)  // u1 a clock behind
      2'd0:    chosen = u1_i;
      2'd1:    chosen = i1_i;
      2'd2:    chosen = u2_i;
      default: chosen = i2_i;
    endcase
  end

  assign folding    = point_i && (phase_q == Fold || (phase_q == Armed && place_i == '0));
  assign folded     = fold_word_q + FoldWidth'(adding2_q);
  assign read_place = phase_q == Transform ? {order_q > Orders, m_q} : {!point_i, place_i[6:0]};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) fold_on_q <= '0;
    else fold_on_q <= {fold_on_q[2:1], folding};
  end

  always_ff @(posedge clk_i) begin
    if (busy_o) begin
      fold_read_q <= fold_q[read_place];
      fold_word_q <= fresh_q ? '0 : fold_read_q;
    end
    read_place_q  <= read_place;
    write_place_q <= read_place_q;
    if (folding) fresh_q <= place_i < 11'd128;
    adding_q  <= chosen;
    adding2_q <= adding_q;
    if (fold_on_q[3:2] != '0) fold_q[write_place_q] <= folded;
  end

  // ---- transform: one product a clock; orders 1 to 40, then the fundamental of u1 ------------------------
  logic issue, last_m;
  logic [6:0] angle_q;  // order x m, of 128
  logic signed [17:0] sine, sine2_q, sine3_q;
  logic signed [24:0] value3_q;
  logic signed [42:0] product;
  logic signed [SumWidth-1:0] sum_q;
  logic [6:1] on_q, last_q;
  logic [5:1] first_q;

  assign issue  = phase_q == Transform;
  assign last_m = m_q == 7'd127;

  td_sine_rom u_sine (
    .clk_i,
    .place_i(angle_q + (sine_q ? 7'd0 : 7'd32)),
    .sine_o (sine)
  );

  always_ff @(posedge clk_i) begin  // 1, 2: value, sine; 3: rounded; 5: product; 6: sum; then the word
    if (!rst_ni) begin
      on_q    <= '0;
      last_q  <= '0;
      first_q <= '0;
    end else begin
      on_q    <= {on_q[5:1], issue};
      last_q  <= {last_q[5:1], issue && last_m};
      first_q <= {first_q[4:1], m_q == '0};
    end
  end

  always_ff @(posedge clk_i) begin
    if (on_q != '0) begin
      sine2_q  <= sine;
      value3_q <= 25'((fold_word_q + FoldWidth'(8)) >>> 4);
      sine3_q  <= sine2_q;
      sum_q    <= (first_q[5] ? RoundUp : sum_q) + SumWidth'(product);
    end
  end

  td_point_product u_product (
    .clk_i,
    .run_i    (on_q != '0),
    .point_i  (value3_q),
    .sine_i   (sine3_q),
    .product_o(product)
  );

  // ---- phases ---------------------------------------------------------------------------------------
  localparam int WaitWidth = $clog2(PublishSamples + 1);
  logic [WaitWidth-1:0] wait_q;
  logic [6:0]           word_q;  // next to be written

  assign busy_o   = phase_q != Idle;
  assign finish_o = valid_i && !start_i && phase_q == Finish && wait_q == WaitWidth'(1);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      phase_q     <= Idle;
      channel_q   <= '0;
      last_fold_q <= 1'b0;
      period_q    <= '0;
      locked_q    <= 1'b0;
      wait_q      <= '0;
      order_q     <= '0;
      sine_q      <= 1'b0;
      m_q         <= '0;
      angle_q     <= '0;
      done_o      <= 1'b0;
    end else begin
      last_fold_q <= folding && place_i == LastPlace;
      if (valid_i && wait_q != '0) wait_q <= wait_q - 1'b1;
      unique case (phase_q)
        Asked: if (valid_i) phase_q <= Armed;
        Armed: if (folding) phase_q <= Fold;
        Fold: begin
          if (folding && place_i == LastPlace) begin
            period_q <= period10_i;
            locked_q <= locked_i;
            wait_q   <= WaitWidth'(PublishSamples);
          end
          if (last_fold_q) begin  // its second sum is being written
            phase_q <= Transform;
            order_q <= 6'd1;
            sine_q  <= 1'b0;
            m_q     <= '0;
            angle_q <= '0;
          end
        end
        Transform: begin
          m_q     <= m_q + 7'd1;
          angle_q <= last_m ? 7'd0 : angle_q + (order_q > Orders ? 7'd1 : {1'b0, order_q});
          if (last_m) begin
            sine_q <= !sine_q;
            if (sine_q) order_q <= order_q + 6'd1;
            if (sine_q && order_q > Orders) phase_q <= Note;
          end
        end
        Note: if (on_q == '0 && word_q == 7'd83) phase_q <= Finish;
        Finish: if (finish_o) begin
          phase_q <= Idle;
          done_o  <= 1'b1;
        end
        default: ;
      endcase
      if (start_i) begin
        phase_q   <= Asked;
        channel_q <= channel_i;
        done_o    <= 1'b0;
      end
    end
  end

  // ---- words: in the order they are read ------------------------------------------------------------
  logic [31:0] words_q[128];
  logic [31:0] word, read_q;
  logic write, ack_q;

  assign write = last_q[6] || (phase_q == Note && on_q == '0);

  always_comb begin
    if (last_q[6]) word = 32'(sum_q >>> 15);
    else if (word_q == 7'd82) word = 32'(period_q);
    else word = {29'd0, channel_q, locked_q};
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i || phase_q == Fold) word_q <= '0;
    else if (write) word_q <= word_q + 7'd1;
  end

  always_ff @(posedge clk_i) begin
    if (write) words_q[word_q] <= word;
    if (req_i) begin
      if (!done_o || addr_i > 7'd83) read_q <= '0;
      else read_q <= words_q[addr_i];
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) ack_q <= 1'b0;
    else ack_q <= req_i;
  end

  assign ack_o  = ack_q;
  assign data_o = read_q;
endmodule
