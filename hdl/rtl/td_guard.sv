// Guard in front of the register file. It passes AXI4-Lite through and
//   - locks: a write to a locked register (td_map) reaches the register file without byte enables, is
//     answered OKAY and pulses locked_write_o; any access to an address without a register pulses
//     unmapped_o. To unlock, write FirstKey and then SecondKey to the word at KeyAddress, with nothing
//     written there in between; LockKey locks. Unlocked after reset.
//   - watches: it reads every locked register in turn, one a sample, and closes a pass with its CRC-32
//     (IEEE 802.3, as zlib.crc32, over the words in address order, little-endian) in crc_o. The first
//     pass that began locked becomes reference_o (learned_o); a later one that differs sets mismatch_o
//     until unlocked and makes an event: event_o for one clock, 1 clock after step_i, with kind_o 21.
// A write is passed on when address and data are both there. The guard's own reads wait for a clock
// without traffic and hold traffic up until the register file has answered.
module td_guard #(
  parameter logic [14:0] KeyAddress = 15'h0890,
  parameter logic [31:0] FirstKey   = 32'h6B657931,  // "key1"
  parameter logic [31:0] SecondKey  = 32'h6B657932,  // "key2"
  parameter logic [31:0] LockKey    = 32'h6C6F636B   // "lock"
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        valid_i,        // a sample
  input  logic        step_i,         // once a sample
  // from outside
  input  logic [14:0] s_awaddr_i,
  input  logic        s_awvalid_i,
  output logic        s_awready_o,
  input  logic [31:0] s_wdata_i,
  input  logic [3:0]  s_wstrb_i,
  input  logic        s_wvalid_i,
  output logic        s_wready_o,
  output logic        s_bvalid_o,
  input  logic        s_bready_i,
  input  logic [14:0] s_araddr_i,
  input  logic        s_arvalid_i,
  output logic        s_arready_o,
  output logic        s_rvalid_o,
  input  logic        s_rready_i,
  // to the register file; data and responses that are not here run past the guard
  output logic        m_awvalid_o,
  input  logic        m_awready_i,
  output logic [3:0]  m_wstrb_o,
  output logic        m_wvalid_o,
  input  logic        m_wready_i,
  input  logic        m_bvalid_i,
  output logic        m_bready_o,
  output logic [14:0] m_araddr_o,
  output logic        m_arvalid_o,
  input  logic        m_arready_i,
  input  logic [31:0] m_rdata_i,
  input  logic        m_rvalid_i,
  output logic        m_rready_o,
  // what it found
  output logic        locked_write_o,
  output logic        unmapped_o,
  output logic        locked_o,
  output logic        learned_o,
  output logic        mismatch_o,
  output logic [31:0] crc_o,
  output logic [31:0] reference_o,
  output logic [15:0] passes_o,
  output logic        event_o,
  output logic [5:0]  kind_o
);
  localparam logic [5:0] KindChecksum = 6'd21;

  // ---- traffic ------------------------------------------------------------------------------------
  logic own_q, sent_q;  // the bus is the guard's; its address is out
  logic [2:0] open_q;  // accesses from outside without their response
  logic write_go, read_go, b_go, r_go, begin_own;
  logic written_mapped, read_mapped, protects, locked_q;

  assign write_go    = s_awvalid_i && s_wvalid_i && m_awready_i && m_wready_i && !own_q;
  assign read_go     = s_arvalid_i && m_arready_i && !own_q && !write_go;
  assign b_go        = m_bvalid_i && s_bready_i;
  assign r_go        = m_rvalid_i && s_rready_i && !own_q;
  assign s_awready_o = write_go;
  assign s_wready_o  = write_go;
  assign s_arready_o = m_arready_i && !own_q && !write_go;
  assign m_awvalid_o = write_go;
  assign m_wvalid_o  = write_go;
  assign m_wstrb_o   = locked_q && protects ? 4'd0 : s_wstrb_i;
  assign m_arvalid_o = own_q ? !sent_q : s_arvalid_i && !write_go;
  assign m_araddr_o  = own_q ? {scan_q, 2'd0} : s_araddr_i;
  assign m_bready_o  = s_bready_i;
  assign s_bvalid_o  = m_bvalid_i;
  assign s_rvalid_o  = m_rvalid_i && !own_q;
  assign m_rready_o  = own_q || s_rready_i;

  // One look-up for each address: choosing before looking up would be the longest path of the front-end.
  td_map #(
    .Beyond(1'b0)
  ) u_written (
    .address_i(s_awaddr_i[14:2]),
    .mapped_o (written_mapped),
    .locked_o (protects),
    .beyond_o ()
  );
  td_map #(
    .Locked(1'b0),
    .Beyond(1'b0)
  ) u_read (
    .address_i(s_araddr_i[14:2]),
    .mapped_o (read_mapped),
    .locked_o (),
    .beyond_o ()
  );

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      open_q         <= '0;
      locked_write_o <= 1'b0;
      unmapped_o     <= 1'b0;
    end else begin
      open_q         <= open_q + 3'(write_go || read_go) - 3'(b_go) - 3'(r_go);
      locked_write_o <= write_go && locked_q && protects;
      unmapped_o     <= (write_go && !written_mapped) || (read_go && !read_mapped);
    end
  end

  // ---- lock -----------------------------------------------------------------------------------------
  logic key_write, half_q, turn;  // the first key was written; the lock turns

  assign key_write = write_go && s_awaddr_i[14:2] == KeyAddress[14:2] && s_wstrb_i == 4'hF;
  assign turn      = key_write && (locked_q ? half_q && s_wdata_i == SecondKey : s_wdata_i == LockKey);
  assign locked_o  = locked_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      locked_q <= 1'b0;
      half_q   <= 1'b0;
    end else begin
      if (key_write) half_q <= s_wdata_i == FirstKey;
      if (turn) locked_q <= !locked_q;
    end
  end

  // ---- watch ----------------------------------------------------------------------------------------
  typedef enum logic [2:0] {
    Pace,
    Seek,
    Want,
    Answer,
    Shift
  } phase_e;
  localparam logic [31:0] Polynomial = 32'hEDB88320;

  phase_e      phase_q;
  logic [12:0] scan_q;
  logic [31:0] crc_q, word_q;
  logic [4:0] left_q;
  logic scan_locked, beyond, learned_q, mismatch_q, told_q, event_q;
  logic void_q;  // the lock turned: this pass does not count

  td_map #(
    .Mapped(1'b0)
  ) u_scan (
    .address_i(scan_q),
    .mapped_o (),
    .locked_o (scan_locked),
    .beyond_o (beyond)
  );

  assign begin_own = phase_q == Want && open_q == '0 && !s_arvalid_i && !s_awvalid_i && !s_wvalid_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      phase_q     <= Pace;
      own_q       <= 1'b0;
      sent_q      <= 1'b0;
      scan_q      <= '0;
      crc_q       <= '1;
      word_q      <= '0;
      left_q      <= '0;
      learned_q   <= 1'b0;
      mismatch_q  <= 1'b0;
      told_q      <= 1'b0;
      event_q     <= 1'b0;
      void_q      <= 1'b0;
      crc_o       <= '0;
      reference_o <= '0;
      passes_o    <= '0;
    end else begin
      event_q <= 1'b0;
      if (step_i && mismatch_q && !told_q) begin
        told_q  <= 1'b1;
        event_q <= 1'b1;
      end
      unique case (phase_q)
        Pace: if (valid_i) phase_q <= Seek;
        Seek: begin
          if (scan_locked) begin
            phase_q <= Want;
          end else if (beyond) begin
            scan_q   <= '0;
            crc_q    <= '1;
            phase_q  <= Pace;
            if (!void_q) begin
              crc_o    <= ~crc_q;
              passes_o <= passes_o + 1'b1;
            end
            if (void_q || turn) begin
              learned_q <= 1'b0;
            end else if (locked_q && !learned_q) begin
              learned_q   <= 1'b1;
              reference_o <= ~crc_q;
            end else if (learned_q && reference_o != ~crc_q) begin
              mismatch_q <= 1'b1;
            end
          end else begin
            scan_q <= scan_q + 1'b1;
          end
        end
        Want: begin
          if (begin_own) begin
            own_q   <= 1'b1;
            sent_q  <= 1'b0;
            phase_q <= Answer;
          end
        end
        Answer: begin
          if (m_arready_i) sent_q <= 1'b1;
          if (m_rvalid_i) begin
            own_q   <= 1'b0;
            word_q  <= m_rdata_i;
            left_q  <= '1;
            phase_q <= Shift;
          end
        end
        Shift: begin
          crc_q  <= {1'b0, crc_q[31:1]} ^ (crc_q[0] ^ word_q[0] ? Polynomial : 32'd0);
          word_q <= word_q >> 1;
          left_q <= left_q - 1'b1;
          if (left_q == '0) begin
            scan_q  <= scan_q + 1'b1;
            phase_q <= Pace;
          end
        end
        default: phase_q <= Pace;
      endcase
      if (turn) begin  // anew; a read that is out is still awaited
        learned_q  <= 1'b0;
        mismatch_q <= 1'b0;
        told_q     <= 1'b0;
        void_q     <= 1'b1;
      end
      if (void_q && phase_q == Pace) begin
        scan_q <= '0;
        crc_q  <= '1;
        void_q <= turn;
      end
    end
  end

  assign learned_o  = learned_q;
  assign mismatch_o = mismatch_q;
  assign event_o    = event_q;
  assign kind_o     = KindChecksum;

`ifdef FORMAL
  `include "td_guard.svh"
`endif
endmodule
