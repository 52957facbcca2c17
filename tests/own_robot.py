"""A user's scene: an arm of three servos on a table with two blocks. The package has nothing like it."""

GOAL = "near(paddle, crate, within=6cm)"
XML = """
<mujoco model="own robot">
  <option timestep="0.004" integrator="implicitfast"/>
  <visual><headlight ambient=".4 .4 .4" diffuse=".4 .4 .4"/></visual>
  <asset>
    <texture name="wood" type="2d" builtin="gradient" width="128" height="128"
      rgb1=".62 .47 .33" rgb2=".5 .36 .25"/>
    <texture name="tiles" type="2d" builtin="checker" width="128" height="128"
      rgb1=".75 .75 .72" rgb2=".62 .64 .66"/>
    <material name="top" texture="wood" texrepeat="2 2"/>
    <material name="floor" texture="tiles" texrepeat="6 6"/>
  </asset>
  <default>
    <position kp="30" kv="8" forcerange="-12 12"/>
    <joint damping="2" armature=".05"/>
  </default>
  <worldbody>
    <light pos=".3 -.8 2" dir="-.1 .3 -1" diffuse=".6 .6 .6"/>
    <camera name="watch" pos=".85 -.8 1.2" xyaxes=".7 .72 0 -.39 .38 .84" fovy="42"/>
    <geom name="ground" type="plane" size="3 3 .1" material="floor"/>
    <geom name="desk" type="box" pos="0 0 .38" size=".5 .4 .02" material="top"/>
    <body name="base" pos="-.4 0 .4">
      <geom type="cylinder" size=".06 .05" pos="0 0 .05" rgba=".25 .27 .3 1"/>
      <body name="turret" pos="0 0 .12">
        <joint name="turn" axis="0 0 1" range="-70 70"/>
        <geom type="box" size=".05 .04 .04" rgba=".9 .55 .1 1"/>
        <body name="upper" pos="0 0 .04">
          <joint name="shoulder" axis="0 1 0" range="-20 75"/>
          <geom type="capsule" fromto="0 0 0 .05 0 .26" size=".025" rgba=".85 .85 .8 1"/>
          <body name="lower" pos=".05 0 .26">
            <joint name="elbow" axis="0 1 0" range="40 130"/>
            <geom type="capsule" fromto="0 0 0 .02 0 .26" size=".02" rgba=".9 .55 .1 1"/>
            <body name="paddle" pos=".02 0 .28">
              <geom type="box" size=".012 .05 .04" rgba=".15 .45 .7 1"/>
            </body>
          </body>
        </body>
      </body>
    </body>
    <body name="crate" pos=".08 .06 .435"><freejoint/>
      <geom type="box" size=".035 .035 .035" mass=".3" rgba=".75 .15 .2 1"/></body>
    <body name="can" pos=".2 -.14 .45"><freejoint/>
      <geom type="cylinder" size=".03 .05" mass=".3" rgba=".2 .6 .3 1"/></body>
  </worldbody>
  <actuator>
    <position joint="turn" ctrlrange="-1.2 1.2"/>
    <position joint="shoulder" ctrlrange="-.3 1.3"/>
    <position joint="elbow" ctrlrange=".8 2.2"/>
  </actuator>
  <keyframe>
    <key qpos=".1 .55 1.35 .08 .06 .435 1 0 0 0 .2 -.14 .45 1 0 0 0" ctrl=".1 .55 1.35"/>
  </keyframe>
</mujoco>
"""


def write(folder):
    """Write the scene; return its path."""
    path = folder / "own_robot.xml"
    path.write_text(XML)
    return path
