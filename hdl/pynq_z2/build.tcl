# Build the PYNQ-Z2 bitstream of the front-end with Vivado 2024.1:
#   vivado -mode batch -source hdl/pynq_z2/build.tcl -tclargs OUT
# Writes OUT/teiden.bit, OUT/teiden.hwh, OUT/timing.txt and OUT/utilisation.txt. Not yet run: there was no Vivado
# where this was written. tests/hdl/test_board_shell.py runs it against stand-ins for Vivado's commands.

if {$argc != 1} {
  puts stderr "build.tcl: $argc arguments, expected one: the folder for the results"
  exit 2
}
set out [file normalize [lindex $argv 0]]
set here [file dirname [file normalize [info script]]]
set hdl [file dirname $here]
file mkdir $out

# ---- sources: packages first ----------------------------------------------------------------------
create_project teiden $out/vivado -part xc7z020clg400-1 -force
set_property target_language Verilog [current_project]
set sources [lsort [glob $hdl/regs/generated/*_pkg.sv]]
foreach file [lsort [glob $hdl/regs/generated/*.sv $hdl/rtl/*.sv]] {
  if {$file ni $sources} {lappend sources $file}
}
lappend sources $here/td_pynq_z2.v
add_files -norecurse $sources
add_files -fileset constrs_1 -norecurse $here/pynq_z2.xdc
update_compile_order -fileset sources_1

# ---- block design -----------------------------------------------------------------------------------
create_bd_design teiden

# The operating system has set up the memory and the pins of the processor before the bitstream is
# loaded; only what reaches the logic matters here.
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps7
set_property -dict [list \
  CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {100} \
  CONFIG.PCW_USE_M_AXI_GP0 {1} \
  CONFIG.PCW_USE_S_AXI_HP0 {1} \
  CONFIG.PCW_S_AXI_HP0_DATA_WIDTH {32} \
  CONFIG.PCW_USE_FABRIC_INTERRUPT {1} \
  CONFIG.PCW_IRQ_F2P_INTR {1} \
] [get_bd_cells ps7]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
  -config {make_external "FIXED_IO, DDR" Master "Disable" Slave "Disable"} [get_bd_cells ps7]

create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
create_bd_cell -type module -reference td_pynq_z2 frontend

# Packets of the capture: 4096 entries of four words, 64 KiB; the length register needs 17 bits.
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma dma
set_property -dict [list \
  CONFIG.c_include_sg {0} \
  CONFIG.c_include_mm2s {0} \
  CONFIG.c_include_s2mm {1} \
  CONFIG.c_s_axis_s2mm_tdata_width {32} \
  CONFIG.c_m_axi_s2mm_data_width {32} \
  CONFIG.c_sg_length_width {20} \
] [get_bd_cells dma]

create_bd_cell -type ip -vlnv xilinx.com:ip:axi_interconnect control
set_property -dict [list CONFIG.NUM_SI {1} CONFIG.NUM_MI {3}] [get_bd_cells control]
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_interconnect memory
set_property -dict [list CONFIG.NUM_SI {1} CONFIG.NUM_MI {1}] [get_bd_cells memory]

# PYNQ's Interrupt wants an interrupt controller between a level and the processor.
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_intc intc
set_property CONFIG.C_IRQ_CONNECTION {1} [get_bd_cells intc]
create_bd_cell -type ip -vlnv xilinx.com:ip:xlconcat causes
set_property CONFIG.NUM_PORTS {2} [get_bd_cells causes]

# ---- clock and resets ---------------------------------------------------------------------------------
connect_bd_net [get_bd_pins ps7/FCLK_RESET0_N] [get_bd_pins reset/ext_reset_in]
foreach pin {
  ps7/M_AXI_GP0_ACLK ps7/S_AXI_HP0_ACLK reset/slowest_sync_clk frontend/aclk
  dma/s_axi_lite_aclk dma/m_axi_s2mm_aclk intc/s_axi_aclk
  control/ACLK control/S00_ACLK control/M00_ACLK control/M01_ACLK control/M02_ACLK
  memory/ACLK memory/S00_ACLK memory/M00_ACLK
} {
  connect_bd_net [get_bd_pins ps7/FCLK_CLK0] [get_bd_pins $pin]
}
foreach pin {
  frontend/aresetn dma/axi_resetn intc/s_axi_aresetn
  control/S00_ARESETN control/M00_ARESETN control/M01_ARESETN control/M02_ARESETN
  memory/S00_ARESETN memory/M00_ARESETN
} {
  connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
}
foreach pin {control/ARESETN memory/ARESETN} {
  connect_bd_net [get_bd_pins reset/interconnect_aresetn] [get_bd_pins $pin]
}

# ---- buses --------------------------------------------------------------------------------------------
foreach {from to} {
  ps7/M_AXI_GP0 control/S00_AXI
  control/M00_AXI frontend/s_axil
  control/M01_AXI dma/S_AXI_LITE
  control/M02_AXI intc/s_axi
  frontend/m_axis dma/S_AXIS_S2MM
  dma/M_AXI_S2MM memory/S00_AXI
  memory/M00_AXI ps7/S_AXI_HP0
} {
  connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}
connect_bd_net [get_bd_pins frontend/irq] [get_bd_pins causes/In0]
connect_bd_net [get_bd_pins dma/s2mm_introut] [get_bd_pins causes/In1]
connect_bd_net [get_bd_pins causes/dout] [get_bd_pins intc/intr]
connect_bd_net [get_bd_pins intc/irq] [get_bd_pins ps7/IRQ_F2P]

# ---- addresses: segment, offset, range ------------------------------------------------------------------
foreach {segment offset range} {
  frontend/s_axil/reg0 0x43C00000 32K
  dma/S_AXI_LITE/Reg   0x40400000 64K
  intc/S_AXI/Reg       0x41800000 64K
} {
  assign_bd_address -target_address_space /ps7/Data -offset $offset -range $range [get_bd_addr_segs $segment]
}
assign_bd_address -target_address_space /dma/Data_S2MM -offset 0x00000000 -range 512M \
  [get_bd_addr_segs ps7/S_AXI_HP0/HP0_DDR_LOWOCM]

# ---- pins ---------------------------------------------------------------------------------------------
foreach {port direction} {
  adc_cs_n O  adc_sclk O  adc_mosi O  adc_miso I  adc_drdy_n I  adc_rst_n O
  sd_clk O  trigger I  cf O  minute I  last_gasp O  breaker_closed O
} {
  create_bd_port -dir $direction $port
  connect_bd_net [get_bd_ports $port] [get_bd_pins frontend/$port]
}
create_bd_port -dir I -from 3 -to 0 sd_data
connect_bd_net [get_bd_ports sd_data] [get_bd_pins frontend/sd_data]
create_bd_port -dir O -from 3 -to 0 led
connect_bd_net [get_bd_ports led] [get_bd_pins frontend/led]

validate_bd_design
save_bd_design
add_files -norecurse [make_wrapper -files [get_files teiden.bd] -top]
set_property top teiden_wrapper [current_fileset]

# ---- implementation --------------------------------------------------------------------------------------
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
  puts stderr "build.tcl: implementation ended at [get_property PROGRESS [get_runs impl_1]]; see $out/vivado"
  exit 1
}
open_run impl_1
report_timing_summary -file $out/timing.txt
report_utilization -hierarchical -file $out/utilisation.txt
set slack [get_property SLACK [get_timing_paths -max_paths 1]]
if {$slack < 0} {
  puts stderr "build.tcl: timing missed by [expr {-$slack}] ns; no bitstream was copied, see $out/timing.txt"
  exit 1
}
file copy -force $out/vivado/teiden.runs/impl_1/teiden_wrapper.bit $out/teiden.bit
file copy -force $out/vivado/teiden.gen/sources_1/bd/teiden/hw_handoff/teiden.hwh $out/teiden.hwh
puts "build.tcl: $out/teiden.bit and teiden.hwh, slack $slack ns"
