# Pins of td_pynq_z2 on a PYNQ-Z2 (XC7Z020-1CLG400). All 3.3 V; nothing here tolerates 5 V.
# The clock of the logic is the processor's FCLK_CLK0, which its own constraints declare.

# ---- PMOD A, as a PMOD SPI: ADS131M04 ----------------------------------------------------------------
set_property -dict {PACKAGE_PIN Y18 IOSTANDARD LVCMOS33} [get_ports adc_cs_n]
set_property -dict {PACKAGE_PIN Y19 IOSTANDARD LVCMOS33} [get_ports adc_mosi]
set_property -dict {PACKAGE_PIN Y16 IOSTANDARD LVCMOS33} [get_ports adc_miso]
set_property -dict {PACKAGE_PIN Y17 IOSTANDARD LVCMOS33} [get_ports adc_sclk]
set_property -dict {PACKAGE_PIN U18 IOSTANDARD LVCMOS33 PULLUP TRUE} [get_ports adc_drdy_n]
set_property -dict {PACKAGE_PIN U19 IOSTANDARD LVCMOS33} [get_ports adc_rst_n]

# ---- PMOD B: clock to and bits from four modulators ----------------------------------------------------
set_property -dict {PACKAGE_PIN W14 IOSTANDARD LVCMOS33} [get_ports sd_clk]
set_property -dict {PACKAGE_PIN Y14 IOSTANDARD LVCMOS33} [get_ports {sd_data[0]}]
set_property -dict {PACKAGE_PIN T11 IOSTANDARD LVCMOS33} [get_ports {sd_data[1]}]
set_property -dict {PACKAGE_PIN T10 IOSTANDARD LVCMOS33} [get_ports {sd_data[2]}]
set_property -dict {PACKAGE_PIN V16 IOSTANDARD LVCMOS33} [get_ports {sd_data[3]}]

# ---- Arduino AR0 to AR4: trigger-out of the AC source, energy pulses, minute tick, Last Gasp, breaker -----
set_property -dict {PACKAGE_PIN T14 IOSTANDARD LVCMOS33 PULLDOWN TRUE} [get_ports trigger]
set_property -dict {PACKAGE_PIN U12 IOSTANDARD LVCMOS33} [get_ports cf]
set_property -dict {PACKAGE_PIN U13 IOSTANDARD LVCMOS33 PULLDOWN TRUE} [get_ports minute]
set_property -dict {PACKAGE_PIN V13 IOSTANDARD LVCMOS33} [get_ports last_gasp]
set_property -dict {PACKAGE_PIN V15 IOSTANDARD LVCMOS33} [get_ports breaker_closed]

# ---- LD0 to LD3 ---------------------------------------------------------------------------------------
set_property -dict {PACKAGE_PIN R14 IOSTANDARD LVCMOS33} [get_ports {led[0]}]
set_property -dict {PACKAGE_PIN P14 IOSTANDARD LVCMOS33} [get_ports {led[1]}]
set_property -dict {PACKAGE_PIN N16 IOSTANDARD LVCMOS33} [get_ports {led[2]}]
set_property -dict {PACKAGE_PIN M14 IOSTANDARD LVCMOS33} [get_ports {led[3]}]

# Inputs go to two-flop synchronisers. SPI keeps 40 ns and the modulators 60 ns between a change of a
# clock and the taking of a bit, more than any path to a pin: neither side needs a bound.
set_false_path -from [get_ports {adc_miso adc_drdy_n trigger minute sd_data[*]}]
set_false_path -to [get_ports {adc_cs_n adc_sclk adc_mosi adc_rst_n sd_clk cf last_gasp breaker_closed led[*]}]
